// Every page works without this. It tells people who cannot see it what htmx swapped, and makes double clicks harmless.
(() => {
  "use strict";

  const FAILED = "That did not work. Reload the page to see what is stored now, then try again.";
  const UNREACHABLE = "The portal could not be reached. Nothing was changed. Check your connection and try again.";
  // The answer to a change got lost; the change itself may have arrived, so this one promises nothing.
  const UNKNOWN = "The portal did not answer. Reload the page to see what is stored now before you try again.";
  const ONCE_MS = 10000;

  const byId = (id) => document.getElementById(id);

  // --- after a swap: focus and announcement ---
  function focusOn(element) {
    if (!element.matches("a[href], button, input, select, textarea, [tabindex]")) element.tabIndex = -1;
    element.focus();
  }

  function landingPlace(region) {
    if (region.matches("[data-focus-after-swap]")) return region;
    return region.querySelector("[data-focus-after-swap]") || region.querySelector("h1, h2, h3") || region;
  }

  function askedByPerson(detail) {
    const config = detail.requestConfig;
    const event = config && config.triggeringEvent;
    // Typing, and polling (which has no event), must not pull the focus away.
    return Boolean(event && /^(click|submit)$/.test(event.type) && !config.elt.closest("[data-keep-focus]"));
  }

  function announce(region) {
    const source = region.matches("[data-announce]") ? region : region.querySelector("[data-announce]");
    if (source) byId("live").textContent = source.textContent.trim();
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    // detail.elt is the new element after an outerHTML swap; its id is the contract of a fragment.
    const old = event.detail.target;
    const region = (old && old.id && byId(old.id)) || event.detail.elt;
    if (!region || !region.isConnected) return;
    clearError();
    showSelectAll();
    announce(region);
    if (askedByPerson(event.detail)) focusOn(landingPlace(region));
  });

  // --- failures: a sentence, never silence, never HTML ---
  function clearError() {
    byId("live-errors").textContent = "";
  }

  const wordsOf = (element) => (element ? element.textContent.replace(/\s+/g, " ").trim() : "");

  function showError(text, link) {
    const notice = document.createElement("p");
    notice.className = "notice notice-danger";
    notice.textContent = text;
    if (link) notice.append(" ", link);
    byId("live-errors").replaceChildren(notice);
  }

  // In a new tab: what was typed into this one stays where it is.
  function doorIn(answer) {
    const given = answer.querySelector("a[data-error-link]");
    if (!given?.getAttribute("href").startsWith("/accounts/")) return null;
    const link = document.createElement("a");
    Object.assign(link, { href: given.getAttribute("href"), target: "_blank", rel: "noopener" });
    link.textContent = wordsOf(given);
    return link;
  }

  function showAnswer(xhr) {
    const type = xhr.getResponseHeader("Content-Type") || "";
    const text = type.startsWith("text/html") ? xhr.responseText : "";
    const answer = new DOMParser().parseFromString(text, "text/html");
    showError(wordsOf(answer.querySelector("[data-error-text]")) || FAILED, doorIn(answer));
  }

  function unanswered(event) {
    // A search is a POST only to keep its words out of the address.
    const reads = event.detail.requestConfig?.verb === "get" || event.target.matches("[role=search]");
    showError(reads ? UNREACHABLE : UNKNOWN);
  }

  document.addEventListener("htmx:responseError", (event) => showAnswer(event.detail.xhr));
  document.addEventListener("htmx:swapError", () => showError(FAILED));
  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, unanswered);

  // --- one submit per click ---
  function setBusy(form, busy) {
    form.toggleAttribute("data-sent", busy);
    for (const button of form.querySelectorAll("button:not([type=button])")) {
      if (busy) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }

  // In the capture phase, so that a second submit reaches neither the browser nor htmx.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    setBusy(form, true);
    setTimeout(() => setBusy(form, false), ONCE_MS);
  }, true);

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches("form[data-sent]")) setBusy(event.target, false);
  });

  // A page out of the back-forward cache may show what was erased, or what belongs to somebody who signed out.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
    for (const form of document.querySelectorAll("form[data-sent]")) setBusy(form, false);
  });

  // --- "select all on this page" ---
  function boxesOf(all) {
    const boxes = (all.form || document).querySelectorAll("input[type=checkbox]");
    return [...boxes].filter((box) => box.name === all.dataset.selectAll);
  }

  function showSelectAll() {
    for (const all of document.querySelectorAll("[hidden] [data-select-all]")) all.closest("[hidden]").hidden = false;
  }

  document.addEventListener("change", (event) => {
    const changed = event.target;
    if (changed.matches("[data-select-all]")) {
      for (const box of boxesOf(changed)) box.checked = changed.checked;
      return;
    }
    for (const all of document.querySelectorAll("[data-select-all]")) {
      const boxes = boxesOf(all);
      const checked = boxes.filter((box) => box.checked).length;
      all.checked = checked > 0 && checked === boxes.length;
      all.indeterminate = checked > 0 && checked < boxes.length;
    }
  });

  showSelectAll();

  // A new account begins with the times of the person who makes it.
  for (const field of document.querySelectorAll("[data-browser-zone]")) {
    field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  }

  // htmx notes every page's address, and so its filter, in the browser's storage; nothing here reads it again.
  try {
    sessionStorage.removeItem("htmx-current-path-for-history");
  } catch {
    // A browser without storage has nothing to forget.
  }
})();
