//! The flags of `serve`, in the groups that its help shows.

use super::switch;
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
