//! The flags of `serve`, in the groups that its help shows.

use super::{ThresholdsArgs, ZoneArgs, switch};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on, port 0 picks a free one; or unix:PATH for a proxy on this machine [default: 127.0.0.1:8080, or
    /// 0.0.0.0:$PORT where PORT is set]
    #[arg(long, env = "CALL_METRICS_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Folder of static files; the report is in its `report/`
    #[arg(
        long,
        env = "CALL_METRICS_PUBLIC",
        value_name = "DIR",
        default_value = "public"
    )]
    pub public: PathBuf,
    /// Keep PUBLIC/report fresh while the log grows
    #[arg(long, env = "CALL_METRICS_WATCH", value_parser = switch)]
    pub watch: bool,
    /// Of the report.
    #[command(flatten)]
    pub zone: ZoneArgs,
    /// Of the report.
    #[command(flatten)]
    pub standards: ThresholdsArgs,
    /// How requests reach us.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// The beacon log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Who may send beacons.
    #[command(flatten)]
    pub send: SendArgs,
    /// Who may see what was collected.
    #[command(flatten)]
    pub look: LookArgs,
    /// Rooms at Daily.
    #[command(flatten)]
    pub rooms: RoomArgs,
    /// The call page.
    #[command(flatten)]
    pub page: CallPageArgs,
    /// Running it.
    #[command(flatten)]
    pub operation: OperationArgs,
    /// What one client may have.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// How requests reach us.
#[derive(Debug, Args)]
#[command(next_help_heading = "Behind a proxy")]
pub struct ReachArgs {
    /// A proxy whose X-Forwarded-For is believed: an address, a network, or unix for a Unix socket; repeat for more
    #[arg(
        long,
        env = "CALL_METRICS_TRUSTED_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<String>,
    /// A name under which this server is reached, such as calls.example.com; other names are refused; repeat for more
    #[arg(
        long,
        env = "CALL_METRICS_PUBLIC_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub public_host: Vec<String>,
}

/// The beacon log.
#[derive(Debug, Args)]
#[command(next_help_heading = "The log")]
pub struct LogArgs {
    /// File that beacons are appended to; made if missing, its folders too
    #[arg(
        long = "log",
        env = "CALL_METRICS_LOG",
        value_name = "FILE",
        default_value = "beacon.log"
    )]
    pub file: PathBuf,
    /// When a beacon is acknowledged
    #[arg(
        long,
        env = "CALL_METRICS_DURABILITY",
        value_enum,
        default_value = "synced"
    )]
    pub durability: DurabilityArg,
    /// Refuse beacons while the disk has less free than this, such as 64MiB or 1GB; 0 for no limit
    #[arg(
        long,
        env = "CALL_METRICS_MIN_FREE",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub min_free: String,
    /// Rotate the log before it grows beyond this, such as 256MiB [default: 0, never]
    #[arg(
        long,
        env = "CALL_METRICS_ROTATE_SIZE",
        value_name = "SIZE",
        default_value = "0",
        hide_default_value = true
    )]
    pub rotate_size: String,
    /// Rotate the log before the first beacon of a day, UTC
    #[arg(long, env = "CALL_METRICS_ROTATE_DAILY", value_parser = switch)]
    pub rotate_daily: bool,
    /// Compress the segments that were rotated away
    #[arg(long, env = "CALL_METRICS_ROTATE_GZIP", value_parser = switch)]
    pub rotate_gzip: bool,
    /// Remove segments rotated away more than N days ago; their calls leave the report with the next build [default: 0, never]
    #[arg(
        long,
        env = "CALL_METRICS_RETAIN_DAYS",
        value_name = "N",
        default_value = "0",
        hide_default_value = true
    )]
    pub retain_days: u32,
}

/// Who may send beacons.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who may send beacons")]
pub struct SendArgs {
    /// Another origin whose pages may send beacons, such as https://app.example.com; repeat for more
    #[arg(
        long,
        env = "CALL_METRICS_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Vec<String>,
    /// Beacons a second from one address, ten times as many at once; 0 is no limit
    #[arg(
        long,
        env = "CALL_METRICS_RATE_PER_ADDRESS",
        value_name = "N",
        default_value_t = 100
    )]
    pub rate_per_address: u32,
    /// Whether beacons need the token that our call page gets with its room
    #[arg(
        long,
        env = "CALL_METRICS_PAGE_TOKEN",
        value_enum,
        default_value = "off"
    )]
    pub page_token: PageTokenArg,
    /// Beacons a second with one page token, thirty times as many at once; 0 is no limit
    #[arg(
        long,
        env = "CALL_METRICS_RATE_PER_TOKEN",
        value_name = "N",
        default_value_t = 2
    )]
    pub rate_per_token: u32,
    /// File with the secret of page tokens, for several servers or restarts [default: $CALL_METRICS_PAGE_TOKEN_SECRET, or a new one at each start]
    #[arg(long, env = "CALL_METRICS_PAGE_TOKEN_SECRET_FILE", value_name = "FILE")]
    pub page_token_secret_file: Option<PathBuf>,
}

/// Who may see what was collected.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who may see the report")]
pub struct LookArgs {
    /// Password for the report and the counters (HTTP Basic, any user name); without one they are served on loopback alone
    #[arg(
        long,
        env = "CALL_METRICS_REPORT_PASSWORD",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub report_password: Option<String>,
    /// File with that password instead, which no other user of the machine can see
    #[arg(long, env = "CALL_METRICS_REPORT_PASSWORD_FILE", value_name = "FILE")]
    pub report_password_file: Option<PathBuf>,
}

/// Rooms at Daily.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rooms")]
pub struct RoomArgs {
    /// Put before a room's name to make the name of its Daily room
    #[arg(
        long,
        env = "CALL_METRICS_ROOM_PREFIX",
        value_name = "TEXT",
        default_value = "meet-"
    )]
    pub room_prefix: String,
    /// Base URL of Daily's REST API [default: https://api.daily.co/v1, or $DAILY_API_URL]
    #[arg(long, env = "CALL_METRICS_DAILY_API_URL", value_name = "URL")]
    pub daily_api_url: Option<String>,
    /// Another origin whose rooms the call page may show, besides Daily's own; repeat for more
    #[arg(
        long,
        env = "CALL_METRICS_FRAME_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub frame_origin: Vec<String>,
    /// Rooms that one address may have opened in a minute; rooms that were asked for in the last five are not counted; 0 is no limit
    #[arg(
        long,
        env = "CALL_METRICS_ROOMS_PER_MINUTE",
        value_name = "N",
        default_value_t = 10
    )]
    pub rooms_per_minute: u32,
    /// The same for all addresses together
    #[arg(
        long,
        env = "CALL_METRICS_ROOMS_PER_MINUTE_TOTAL",
        value_name = "N",
        default_value_t = 60
    )]
    pub rooms_per_minute_total: u32,
    /// What a whole room name has to match, such as 'team-[a-z]+|standup'
    #[arg(long, env = "CALL_METRICS_ROOM_PATTERN", value_name = "REGEX")]
    pub room_pattern: Option<String>,
    /// When a room that was minted here closes for newcomers, such as 24h [default: never]
    #[arg(long, env = "CALL_METRICS_ROOM_EXPIRY", value_name = "TIME")]
    pub room_expiry: Option<String>,
    /// Who may enter the rooms minted here
    #[arg(
        long,
        env = "CALL_METRICS_ROOM_PRIVACY",
        value_enum,
        default_value = "public"
    )]
    pub room_privacy: RoomPrivacyArg,
}

/// The call page.
#[derive(Debug, Args)]
#[command(next_help_heading = "The call page")]
pub struct CallPageArgs {
    /// Where the call page sends beacons: a path of this server or a whole URL [default: /beacon, or $BEACON_URL]
    #[arg(long, env = "CALL_METRICS_BEACON_URL", value_name = "URL")]
    pub beacon_url: Option<String>,
    /// How often the call page reads the metrics, such as 2s or 500ms
    #[arg(
        long,
        env = "CALL_METRICS_SAMPLE_INTERVAL",
        value_name = "TIME",
        default_value = "2s"
    )]
    pub sample_interval: String,
    /// How often the call page sends what it read, such as 15s
    #[arg(
        long,
        env = "CALL_METRICS_BEACON_INTERVAL",
        value_name = "TIME",
        default_value = "15s"
    )]
    pub beacon_interval: String,
    /// Send the names that people join with; without it no name leaves the browser
    #[arg(long, env = "CALL_METRICS_PARTICIPANT_NAMES", value_parser = switch)]
    pub participant_names: bool,
}

/// What one client may have.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Connections at once from one address (of IPv6 a /64), 0 for any number; this machine may always have any number
    #[arg(
        long,
        env = "CALL_METRICS_CONNECTIONS_PER_ADDRESS",
        value_name = "N",
        default_value_t = 256
    )]
    pub connections_per_address: usize,
}

/// `--durability`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DurabilityArg {
    /// Once it is on disk: written and fsynced
    Synced,
    /// Once the operating system has it; a power cut may lose it
    Written,
}

/// `--page-token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageTokenArg {
    /// They do not
    Off,
    /// Beacons without a token are refused, those of other pages among them
    Required,
}

/// `--room-privacy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoomPrivacyArg {
    /// Whoever has the room's address at Daily
    Public,
    /// Whoever comes through the call page, which is given a meeting token for it
    Private,
}

/// Running it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Operation")]
pub struct OperationArgs {
    /// How lines on stderr look
    #[arg(
        long,
        env = "CALL_METRICS_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub log_format: LogFormatArg,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}
