// The transport of `mbundle serve`: server-sent events. A tab that nobody sees is not connected, since a browser has six
// connections for all tabs of an origin; what it missed it learns from the first event when it is shown again.

const AGAIN = 1_000;

/** @type {import("./events.d.ts").Subscribe} */
export function serverEvents(listener) {
  /** @type {EventSource | undefined} */
  let source;
  /** Of the last call of `open`; an earlier one that is late has nothing to say. */
  let turn = 0;
  const close = () => {
    turn++;
    source?.close();
    source = undefined;
  };
  const open = async () => {
    close();
    const mine = turn;
    const again = () => mine === turn && setTimeout(() => mine === turn && open(), AGAIN);
    try {
      const response = await fetch(new URL("../session", import.meta.url), { cache: "no-store" });
      const { token } = await response.json();
      if (mine !== turn) return;
      source = new EventSource(new URL(`../events?token=${token}`, import.meta.url));
      source.onmessage = ({ data }) => mine === turn && listener(JSON.parse(data));
      source.onerror = () => source?.readyState === EventSource.CLOSED && again(); // a new server has a new token
    } catch {
      again();
    }
  };
  const seen = () => (globalThis.document?.hidden ? close() : open());
  globalThis.document?.addEventListener("visibilitychange", seen);
  seen();
  return () => {
    globalThis.document?.removeEventListener("visibilitychange", seen);
    close();
  };
}
