"use strict";
// What plain HTML cannot do: copying, the / key, the browser's time zone, and rest for live parts.
// Every page works without this file.
(() => {
  const root = document.documentElement;
  const body = document.body;
  root.classList.add("js");

  function announce(text) {
    const region = document.getElementById("announce");
    region.textContent = "";
    window.setTimeout(() => { region.textContent = text; }, 50);
  }

  // The clipboard exists only on https and localhost; elsewhere the text is selected, ready for Ctrl+C.
  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      if (!document.execCommand("copy")) { return; }
    }
    button.classList.add("copied");
    announce(body.dataset.copied);
    window.setTimeout(() => { button.classList.remove("copied"); }, 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) { copy(button); }
    const pause = event.target.closest("[data-pause]");
    if (pause) {
      const pressed = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(pressed));
      pause.closest("[data-live]").toggleAttribute("data-paused", pressed);
    }
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) { menu.open = false; }
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) { return; }
    const search = document.querySelector("input[type=search]");
    if (search && body.dataset.shortcuts === "on") {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // What asks again and again rests while nobody can see it; a live part also while somebody reads or walks through it.
  body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.requestConfig.triggeringEvent) { return; }
    const live = event.detail.elt.closest("[data-live]");
    const busy = live && (live.hasAttribute("data-paused") || live.matches(":hover, :focus-within"));
    if (document.hidden || busy) { event.preventDefault(); }
  });

  // The server writes times in the zone of this cookie; on the very first page they are put right here.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const pad = (number) => String(number).padStart(2, "0");
  if (zone && !document.cookie.split("; ").includes(`mailadmin_zone=${zone}`)) {
    document.cookie = `mailadmin_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
    document.querySelectorAll("time[datetime]").forEach((element) => {
      const at = new Date(element.dateTime);
      const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
      const clock = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
      const today = at.toDateString() === new Date().toDateString();
      const long = element.hasAttribute("data-long");
      element.textContent = long ? at.toLocaleString(root.lang) : today ? clock : `${day} ${clock}`;
      element.title = at.toLocaleString(root.lang);
    });
  }
})();
