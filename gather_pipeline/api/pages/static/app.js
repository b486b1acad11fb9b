// Without this script every page can be read and every form sent. With it a form is answered in place, the parts that are marked as live
// follow the project's events, and letters are keys. The server's HTML is the only source of what is shown: nothing is put together here.
"use strict";

const body = document.body;
const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

function announce(text, isFault = false) {
  const line = document.getElementById("announce");
  line.textContent = text.trim();
  line.className = isFault ? "fault" : "unseen";
}

function put(fresh, old) {
  const held = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const one of old.querySelectorAll("details[id]")) {
    const again = fresh.querySelector(`#${CSS.escape(one.id)}`);
    if (again && one.open) again.open = true;
  }
  const taken = document.adoptNode(fresh);
  old.replaceWith(taken);
  if (held) document.getElementById(held)?.focus({ preventScroll: true });
  return taken;
}

// A part in which somebody types is left alone.
const isTypedIn = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");

function putLive(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || isTypedIn(part) || fresh.outerHTML === part.outerHTML) continue;
    put(fresh, part);
    for (const past of document.querySelectorAll(".said:not(#news)")) past.remove();
  }
}

function told(page) {
  return page.querySelector("[role=alert], .fault, .said:not([hidden])")?.textContent || "";
}

// Puts the answer in the place of the article that was asked from, else of the whole page.
function putAnswer(page, answer, from) {
  const text = told(page);
  const article = from.closest("article[id]");
  const fresh = article && page.getElementById(article.id);
  if (fresh) {
    const taken = put(fresh, article);
    putLive(page);
    (taken.querySelector("[aria-invalid=true], [role=alert]") || taken.querySelector("textarea") || taken).focus();
  } else if (answer.redirected && new URL(answer.url).pathname !== location.pathname) {
    location.assign(answer.url);
    return;
  } else {
    const main = put(page.getElementById("main"), document.getElementById("main"));
    const fault = main.querySelector("[aria-invalid=true], [role=alert]");
    if (fault) fault.focus();
    else { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  }
  announce(text);
}

async function ask(from, address, options) {
  try {
    const answer = await fetch(address, options);
    if (answer.status === 401) announce("You are signed out: sign in on another tab, then try again. Nothing was lost here.", true);
    else if (answer.headers.get("content-type")?.includes("problem")) announce((await answer.json()).detail, true);
    else putAnswer(await parse(answer), answer, from);
  } catch {
    announce("The server does not answer. Nothing was lost here: try again.", true);
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || "plain" in form.dataset) return;
  event.preventDefault();
  const button = event.submitter || form.querySelector("button");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  await ask(form, form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  button.removeAttribute("aria-busy");
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !link.closest("article[id]")) return;
  event.preventDefault();
  ask(link, link.href, {});
});

// Keys: what has aria-keyshortcuts is clicked, in the article that has the focus before anywhere else.
const keysOn = document.getElementById("keys-on");
const dialog = document.getElementById("keys");
const stored = (() => { try { return localStorage; } catch { return null; } })();
keysOn.checked = stored?.getItem("keys") !== "off";
keysOn.addEventListener("change", () => { stored?.setItem("keys", keysOn.checked ? "on" : "off"); tellKeys(); });
const showKeys = document.getElementById("show-keys");
const tellKeys = () => { showKeys.hidden = false; document.getElementById("keys-told").hidden = !keysOn.checked; };
showKeys.addEventListener("click", () => dialog.showModal());
document.getElementById("hide-keys").addEventListener("click", () => dialog.close());
tellKeys();

function step(by) {
  const all = [...document.querySelectorAll("main article")];
  const at = all.indexOf(document.activeElement.closest("article"));
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (typing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || (typing && event.key !== "Escape")) return;
  if (event.key.length === 1 && !keysOn.checked) return;
  if (event.key === "j" || event.key === "k") { step(event.key === "j" ? 1 : -1); return; }
  const wanted = `[aria-keyshortcuts="${CSS.escape(event.key)}"]`;
  const found = document.activeElement.closest("article")?.querySelector(wanted)
    || [...document.querySelectorAll(wanted)].find((one) => !one.closest("article") && one.checkVisibility());
  if (!found) return;
  event.preventDefault();
  if (found.matches("summary")) { found.parentElement.open = true; found.parentElement.querySelector("input:not([type=hidden]), select, textarea")?.focus(); }
  else found.click();
});

// Live: an event of the project has its page looked at anew, several within a moment once.
let waiting = 0;
const newestTold = () => document.querySelector("#happened li span")?.textContent;
let newest = newestTold();

async function look() {
  waiting = 0;
  const answer = await fetch(location.pathname + location.search);
  if (!answer.ok || new URL(answer.url).pathname !== location.pathname) return;
  putLive(await parse(answer));
  const now = newestTold();
  if (now && now !== newest) announce(now);
  newest = now;
}

const lookSoon = () => { waiting ||= setTimeout(() => look().catch(() => {}), 400); };

let last = body.dataset.sequence;
const listen = () => {
  const source = new EventSource(`${body.dataset.events}?after=${last}`);
  source.onmessage = (message) => {
    last = message.lastEventId;
    lookSoon();
    const { type } = JSON.parse(message.data);
    if (document.querySelector(".note, .drop") && type === "iteration_complete") document.getElementById("news").hidden = false;
  };
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000); };  // refused: a browser does not try again
};
if (body.dataset.events) {
  listen();
  setInterval(() => { if (document.querySelector("progress") && !document.hidden) lookSoon(); }, 5000);
}
