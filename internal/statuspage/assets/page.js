// Keeps the page as it would be after a reload: the server tells which elements have changed.
"use strict";
(() => {
  const live = document.getElementById("live");
  const rows = document.getElementById("rows");
  let events = null;
  let again = 0;

  function say(how) {
    live.hidden = false;
    live.className = "live " + how;
    if (live.textContent !== live.dataset[how]) live.textContent = live.dataset[how];
  }

  function parse(html) {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    return template.content;
  }

  // morph makes the element like the other one and leaves alone what is alike, so that focus, selection and what the
  // reader opened stay.
  function morph(now, next) {
    if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) {
      now.replaceWith(next);
      return;
    }
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    morphAttributes(now, next);
    morphChildren(now, next);
  }

  function morphAttributes(now, next) {
    for (const { name, value } of next.attributes) {
      if (name !== "open" && now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    for (const { name } of [...now.attributes]) {
      if (name !== "open" && !next.hasAttribute(name)) now.removeAttribute(name);
    }
  }

  function morphChildren(now, next) {
    const before = [...now.childNodes], after = [...next.childNodes];
    after.forEach((child, i) => (before[i] ? morph(before[i], child) : now.append(child)));
    before.slice(after.length).forEach((child) => child.remove());
  }

  function setRow(id, html) {
    const next = parse(html).firstElementChild;
    const now = document.getElementById(id);
    if (now) morph(now, next);
    else rows.append(next);
  }

  function setOrder(order) {
    const wanted = new Set(order);
    for (const row of [...rows.children]) if (!wanted.has(row.id)) row.remove();
    order.forEach((id, i) => {
      const row = document.getElementById(id);
      if (row && rows.children[i] !== row) rows.insertBefore(row, rows.children[i] || null);
    });
  }

  function apply(change) {
    if (change.title) document.title = change.title;
    for (const [id, html] of Object.entries(change.parts || {})) {
      const part = document.getElementById(id);
      if (part) morphChildren(part, parse(html));
    }
    for (const [id, html] of Object.entries(change.rows || {})) setRow(id, html);
    if (change.order) setOrder(change.order);
  }

  function close() {
    clearTimeout(again);
    if (events) events.close();
    events = null;
  }

  function open() {
    close();
    events = new EventSource(document.body.dataset.events);
    events.onmessage = (message) => {
      say("live");
      apply(JSON.parse(message.data));
    };
    events.onerror = () => {
      say("lost");
      // Browsers try again by themselves, but not after they were refused.
      if (events && events.readyState === EventSource.CLOSED) again = setTimeout(open, 5000);
    };
  }

  // A page that nobody sees takes no one's place.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  if (!document.hidden) open();
})();
