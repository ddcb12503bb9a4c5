// @ts-check
// The start page: a room name, checked while it is typed, and the rooms of before.

import { checkName, problemInWords } from "./room-name.js";
import { recentRooms, rememberRoom } from "./recent-rooms.js";

/** @template {Element} T @param {string} id @param {new () => T} kind @returns {T} */
function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} #${id} in this page`);
  return found;
}

const form = byId("join", HTMLFormElement);
const input = byId("room", HTMLInputElement);
const field = byId("field", HTMLElement);
const problem = byId("problem", HTMLElement);
const hint = byId("hint", HTMLElement);
const reserved = (form.dataset.reserved ?? "").split(" ").filter(Boolean);

/** @param {string} name */
const enter = (name) => {
  rememberRoom(name);
  location.assign(`/${name}`);
};

/** Shows what is wrong and offers the nearest name; true when nothing is. */
function check() {
  const checked = checkName(input.value, reserved);
  field.classList.toggle("field-bad", !checked.ok);
  if (checked.ok) {
    input.removeAttribute("aria-invalid");
    problem.replaceChildren();
    hint.hidden = false;
    return true;
  }
  input.setAttribute("aria-invalid", "true");
  hint.hidden = true;
  const icon = document.createElement("span");
  icon.className = "problem-icon";
  icon.setAttribute("aria-hidden", "true");
  problem.replaceChildren(icon, problemInWords(checked, input.value));
  if (checked.suggestion !== "") {
    const offer = document.createElement("button");
    offer.type = "button";
    offer.className = "offer";
    offer.textContent = checked.suggestion;
    offer.addEventListener("click", () => {
      input.value = checked.suggestion;
      check();
      input.focus();
    });
    problem.append(" Try ", offer, ".");
  }
  return false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (check()) enter(input.value.trim());
  else input.focus();
});

// Nobody is corrected while still typing; once something was wrong, it is seen at once that it no longer is.
input.addEventListener("input", () => {
  if (input.getAttribute("aria-invalid") !== "true") return;
  if (input.value.trim() !== "") check();
});
input.addEventListener("blur", (event) => {
  // The press of a button inside the form decides for itself.
  if (event.relatedTarget instanceof HTMLElement && form.contains(event.relatedTarget)) return;
  if (input.value.trim() !== "") check();
});
field.addEventListener("click", () => input.focus());

byId("host", HTMLElement).textContent = `${location.host}/`;

function showRecent() {
  const rooms = recentRooms();
  byId("recent", HTMLElement).hidden = rooms.length === 0;
  byId("recent-list", HTMLElement).replaceChildren(...rooms.map((name) => {
    const link = document.createElement("a");
    link.className = "button";
    link.href = `/${name}`;
    link.textContent = name;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

showRecent();
// Coming back from a call, the page may be an old one that was kept.
addEventListener("pageshow", (event) => { if (event.persisted) showRecent(); });
