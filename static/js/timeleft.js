// Counts down how long the staff's access to somebody's memories lasts. The server ends it; this only says so in time.
(() => {
  "use strict";

  const ANNOUNCE = [300, 60]; // seconds left at which it is spoken: five minutes, one minute
  const bar = document.querySelector("[data-seconds-left]");
  if (!bar) return;
  const words = bar.querySelector("[data-time-left]");
  const given = Number(bar.dataset.secondsLeft);
  const began = { wall: Date.now(), running: performance.now() };
  let before = given;

  function secondsLeft() {
    // The wall clock may be set back, and the other one may stand still while a laptop sleeps: the later one counts.
    const gone = Math.max(Date.now() - began.wall, performance.now() - began.running);
    return Math.ceil(given - gone / 1000);
  }

  function sentence(seconds) {
    if (seconds < 60) return "Less than a minute left";
    const minutes = Math.ceil(seconds / 60);
    return `${minutes} minute${minutes === 1 ? "" : "s"} left`;
  }

  function tick() {
    const seconds = secondsLeft();
    // To the page that says that it has ended: no text stays on the screen.
    if (seconds < 0) return window.location.replace(bar.dataset.afterwards);
    words.textContent = sentence(seconds);
    const crossed = ANNOUNCE.find((limit) => seconds <= limit && before > limit);
    if (crossed) document.getElementById("live").textContent = `${sentence(crossed)} of this access.`;
    before = seconds;
    return setTimeout(tick, 1000);
  }

  tick();
})();
