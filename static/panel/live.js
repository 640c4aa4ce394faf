/* Lists that grow as things happen.

   An element with data-stream (the stream's address) gets a row at its top for each server-sent event. Rows wait while
   the reader points at the list or has focus in it, while Pause is pressed, and the stream is closed while the tab is
   hidden. When the server has no stream to spare, the rows are asked for every five seconds instead. */
"use strict";
(() => {
  const POLL = 5000;
  const STREAM_AGAIN = 60000;

  class Live {
    constructor(list) {
      this.list = list;
      this.box = list.closest("[data-stream-box]") || list;
      this.limit = Number(list.dataset.streamLimit) || 10;
      this.after = list.dataset.streamAfter || "";
      this.waiting = [];
      this.paused = false;
      this.button = this.box.querySelector("[data-stream-pause]");
      this.state = this.box.querySelector("[data-stream-state]");
      this.polling = null;
      this.source = null;
      if (this.button) {
        this.button.hidden = false;
        this.button.addEventListener("click", () => this.pause(!this.paused));
      }
      for (const name of ["mouseleave", "focusout"]) {
        list.addEventListener(name, () => setTimeout(() => this.flush(), 0));
      }
      document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
      window.addEventListener("pagehide", () => this.close());
      if (!document.hidden) this.open();
    }

    address(base) {
      const url = new URL(base, location.href);
      url.searchParams.set("after", this.after);
      return url;
    }

    open() {
      this.close();
      if (!window.EventSource) {
        this.poll();
        return;
      }
      const source = new EventSource(this.address(this.list.dataset.stream));
      this.source = source;
      source.onopen = () => this.say(this.paused ? "paused" : "live");
      source.addEventListener("row", (event) => {
        this.after = event.lastEventId || this.after;
        this.take(event.data);
      });
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED && this.source === source) {
          this.close();
          this.poll();
        } else {
          this.say("lost");
        }
      };
    }

    close() {
      if (this.source) this.source.close();
      this.source = null;
      clearTimeout(this.polling);
      this.polling = null;
    }

    async poll(since = Date.now()) {
      let answer = null;
      try {
        answer = await fetch(this.address(this.list.dataset.streamRows), { headers: { "X-Requested-With": "live" } });
      } catch {
        this.say("lost");
      }
      if (answer && (answer.redirected || answer.status === 403)) {
        this.say("ended");
        return;
      }
      if (answer && answer.ok) {
        this.after = answer.headers.get("Live-After") || this.after;
        const text = await answer.text();
        if (text.trim()) this.take(text);
        this.say(this.paused ? "paused" : "polling");
      }
      if (document.hidden || this.source) return;
      if (window.EventSource && Date.now() - since > STREAM_AGAIN) this.open();
      else this.polling = setTimeout(() => this.poll(since), POLL);
    }

    take(html) {
      this.waiting.push(html);
      if (this.waiting.length > this.limit) this.waiting.shift();
      this.flush();
    }

    flush() {
      if (this.paused || this.list.matches(":hover") || this.list.contains(document.activeElement)) return;
      for (const html of this.waiting) this.insert(html);
      this.waiting = [];
    }

    insert(html) {
      const shape = document.createElement("template");
      shape.innerHTML = html;
      // Oldest first, so that the newest ends at the top.
      for (const row of [...shape.content.children].reverse()) {
        const top = this.list.firstElementChild;
        if (top && top.dataset.repeat && top.dataset.repeat === row.dataset.repeat) {
          const note = row.querySelector("[data-repeated]");
          if (note) note.hidden = false;
          top.remove();
        }
        this.list.prepend(row);
        row.classList.add("is-new");
        while (this.list.children.length > this.limit) this.list.lastElementChild.remove();
      }
      for (const empty of this.box.querySelectorAll("[data-stream-empty]")) empty.hidden = true;
      for (const filled of this.box.querySelectorAll("[data-stream-filled]")) filled.hidden = false;
    }

    pause(on) {
      this.paused = on;
      this.button.setAttribute("aria-pressed", String(on));
      // What the page asks for again and again (panel.js) rests too.
      for (const part of document.querySelectorAll("[data-live]")) part.toggleAttribute("data-paused", on);
      this.say(on ? "paused" : this.source ? "live" : "polling");
      this.flush();
    }

    say(state) {
      if (!this.state || this.state.dataset.state === state) return;
      this.state.dataset.state = state;
      this.state.textContent = this.state.getAttribute(`data-text-${state}`) || "";
    }
  }

  for (const list of document.querySelectorAll("[data-stream]")) new Live(list);
})();
