import { format } from "./format.js";

const face = document.querySelector("#clock");

export function start(interval = 1000) {
  const timer = setInterval(() => {
    face.textContent = format(new Date());
  }, interval);
  return () => clearInterval(timer);
}

const stop = start();
addEventListener("pagehide", () => stop(), { once: true });
