// @ts-check
// Every way a call can fail, in words: what happened, and what to do about it.

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} text
 * @property {string} [help]   what the person, or whoever runs the server, can do
 * @property {boolean} [retry] whether trying the same again can help
 */

/** @type {Record<string, Words>} */
const ERRORS = {
  // Our own server.
  "invalid-room-name": { title: "That is not a room name", text: "A room name has letters, digits, - and _, up to 64 of them.", help: "Go back to the start and choose another name." },
  "daily-token-missing": { title: "Calls are not set up yet", text: "This server has no Daily API key, so it cannot open rooms. The report works without one.", help: "Whoever runs the server: set DAILY_TOKEN in the environment or in .env, then restart. Keys are at dashboard.daily.co/developers.", retry: true },
  "daily-auth-failed": { title: "Daily refuses this server’s key", text: "The room could not be opened, because the API key is wrong or was withdrawn.", help: "Whoever runs the server: check DAILY_TOKEN, then restart.", retry: true },
  "daily-error": { title: "Daily could not open the room", text: "The service behind the calls answered with an error.", help: "Try again in a moment. If it stays, look at status.daily.co.", retry: true },
  "daily-timeout": { title: "Daily is slow to answer", text: "The room could not be opened in time.", help: "Try again in a moment. If it stays, look at status.daily.co.", retry: true },
  "daily-rate-limited": { title: "Too many rooms at once", text: "Daily lets only so many rooms be opened at a time. This one has to wait a little.", retry: true },
  "rate-limited": { title: "Too many rooms at once", text: "More rooms are being opened than allowed. This one has to wait a little.", retry: true },
  "too-many-rooms": { title: "Too many rooms at once", text: "This server opens only so many rooms in a minute. This one has to wait a little.", retry: true },
  "room-not-allowed": { title: "No room of this name here", text: "This server opens rooms of certain names only.", help: "Go back to the start and choose another name, or ask whoever runs the server." },
  "host-refused": { title: "The server does not know this address", text: "It opens rooms under its own names only, and the address of this page is none of them.", help: "Whoever runs the server: start it with --public-host and this name." },
  "busy": { title: "The server is busy", text: "It is opening as many rooms as it can at once. This one has to wait a little.", retry: true },
  "origin-refused": { title: "This page may not open rooms", text: "The server opens rooms for its own pages only, and took this one for another’s.", help: "Whoever runs the server: a proxy in front of it has to pass the Host header on." },
  "invalid-request": { title: "The server did not understand this page", text: "They may be of different versions.", help: "Reload the page.", retry: true },
  "internal-error": { title: "The server failed", text: "Something went wrong inside it while it opened the room.", help: "Try again. If it stays, tell whoever runs the server.", retry: true },
  "server-unreachable": { title: "No answer from the server", text: "The page is here, but the server behind it does not answer.", help: "Check your internet connection. This page tries again by itself when you are back online.", retry: true },
  "server-error": { title: "The server could not open the room", text: "Its answer was not one that this page understands.", help: "Try again. If it stays, tell whoever runs the server.", retry: true },
  // Reaching Daily.
  "daily-js-missing": { title: "The call software did not load", text: "The script that makes the call was blocked or did not arrive.", help: "An ad blocker or a company network may be in the way. Allow scripts for this page, then reload it.", retry: true },
  "join-timeout": { title: "Daily does not answer", text: "The call did not load in time. This page goes on trying, and opens the call should it come.", help: "A firewall or a VPN may block daily.co. Try another network, or try again.", retry: true },
  "connection-error": { title: "The connection to the call failed", text: "Your browser could not reach Daily, or lost it and could not get back.", help: "Check your internet connection. A firewall or a VPN may block calls.", retry: true },
  // Daily's words for why one may not, or no longer, be in a room.
  "ejected": { title: "You were removed from the call", text: "Someone removed you, or your connection was gone for too long.", retry: true },
  "meeting-full": { title: "The room is full", text: "As many people as the room allows are in it.", help: "Try again when somebody has left.", retry: true },
  "exp-room": { title: "This room has expired", text: "It was open for a limited time, and that is over.", help: "Choose another room name." },
  "exp-token": { title: "Your invitation has expired", text: "It was good for a limited time, and that is over.", help: "Ask for a new one.", retry: true },
  "nbf-room": { title: "This room is not open yet", text: "It opens at a later time.", help: "Come back then.", retry: true },
  "nbf-token": { title: "Your invitation is not valid yet", text: "It is good from a later time on.", help: "Come back then.", retry: true },
  "no-room": { title: "This room does not exist any more", text: "It was deleted at Daily.", help: "The server makes a new one within about five minutes. Try again then, or choose another name.", retry: true },
  "not-allowed": { title: "You may not join this room", text: "It is private, or its owner did not let you in.", help: "Ask the owner of the room.", retry: true },
  "end-of-life": { title: "This page is too old for Daily", text: "Daily no longer accepts the version of its library that this server uses.", help: "Whoever runs the server: update call-metrics." },
};

/** @type {Words} */
const OTHERWISE = { title: "The call failed", text: "Something went wrong that this page has no better words for.", help: "Try again. If it stays, tell whoever runs the server what is written below.", retry: true };

/** @param {string} code @returns {Words} */
export const errorWords = (code) => (Object.hasOwn(ERRORS, code) ? ERRORS[code] : OTHERWISE);

/** @type {Record<string, string>} */
const CAMERA = {
  "cam-in-use": "Another program uses your camera. Close it, then turn the camera on again.",
  "mic-in-use": "Another program uses your microphone. Close it, then unmute again.",
  "cam-mic-in-use": "Another program uses your camera and microphone. Close it, then turn them on again.",
  "permissions": "Your browser may not use the camera or microphone. Allow it beside the address of this page, then reload.",
  "undefined-mediadevices": "Your browser gives cameras to secure pages only. Open this page by https, or on localhost.",
  "not-found": "No camera or microphone was found. You can still see and hear the others.",
  "constraints": "Your camera cannot do what the call asks for. Choose another one.",
};

/** @param {unknown} type */
export const cameraWords = (type) => (typeof type === "string" && Object.hasOwn(CAMERA, type) ? CAMERA[type]
  : "Your camera or microphone does not work. You can still see and hear the others.");

/** The strip under the call. @type {Record<import("./connection.js").Level, string>} */
export const LEVEL_WORDS = { measuring: "Measuring…", good: "Good connection", fair: "Fair connection", poor: "Poor connection" };

/** Cause, effect, and what helps. @type {Record<import("./connection.js").Cause | "interrupted", [string, string]>} */
export const CAUSE_WORDS = {
  upload: ["Your upload is losing packets.", "Others may hear you break up. Turn off your camera, or move closer to the router."],
  download: ["Your download is losing packets.", "Others may break up for you. Stop other downloads, or move closer to the router."],
  interrupted: ["The connection is interrupted.", "Daily is trying to get it back."],
  delay: ["Your connection has a long delay.", "People may talk over each other. A VPN or a busy network is a common cause."],
};

/** @type {Record<import("./outbox.js").Delivery, string>} */
export const DELIVERY_WORDS = {
  idle: "",
  saved: "Stats are being saved",
  kept: "Stats can’t be sent right now; they are kept and sent later",
  refused: "The server refuses the stats of this call",
};
