// @ts-check
// "Chrome 156" and "macOS" out of a user agent string. The order matters: most browsers also claim to be Chrome or Safari.

/** @type {[RegExp, string][]} */
const BROWSERS = [
  [/\bEdg(?:e|A|iOS)?\/(\d+)/, "Edge"],
  [/\b(?:OPR|OPiOS)\/(\d+)/, "Opera"],
  [/\bSamsungBrowser\/(\d+)/, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|CriOS)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+)[\d.]* .*\bSafari\//, "Safari"],
];

/** @type {[RegExp, string][]} */
const SYSTEMS = [
  [/\b(?:iPhone|iPad|iPod)\b/, "iOS"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];

/**
 * Unknown stays absent. An iPad calls itself a Macintosh; only its touch screen gives it away.
 * @param {string} userAgent @param {number} [touchPoints] @returns {{browser?: string, os?: string}}
 */
export function clientName(userAgent, touchPoints = 0) {
  /** @type {{browser?: string, os?: string}} */
  const client = {};
  for (const [pattern, name] of BROWSERS) {
    const found = pattern.exec(userAgent);
    if (found) { client.browser = `${name} ${found[1]}`; break; }
  }
  const os = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  if (os) client.os = os === "macOS" && touchPoints > 1 ? "iOS" : os;
  return client;
}
