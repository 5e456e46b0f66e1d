// allauth only writes to the console when a passkey fails. People are told, in the page's own place for errors.
document.addEventListener("allauth.error", (event) => {
  const place = document.getElementById("live-errors");
  if (!place) return;
  const notice = document.createElement("p");
  notice.className = "notice notice-danger";
  notice.textContent = event.detail.exception && event.detail.exception.name === "NotAllowedError"
    ? "The passkey was not used: it was cancelled, or it took too long. Try again, or use another way."
    : "The passkey could not be used on this device or browser. Use another way.";
  place.replaceChildren(notice);
  event.preventDefault();
});
