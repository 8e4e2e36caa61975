// The app's own files, offline. The model is not kept here: mbundle's runtime stores it by itself, chunk by chunk.

const FILES = new Set(self.FILES); // names below assets/, put in by vite/shell.js
const CACHE = "icon-search";
const SCOPE = new URL("./", self.location.href);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// The page says when the model is there: fetching all that makes a second visit must not slow the first one down.
self.addEventListener("message", (event) => event.data === "keep" && event.waitUntil(keep()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !url.href.startsWith(SCOPE.href)) return;
  const name = url.pathname.slice(SCOPE.pathname.length);
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (FILES.has(name) || name === "icon.svg") event.respondWith(stored(request));
});

/** @param {Request} request */
async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(SCOPE.href, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(SCOPE.href);
    if (kept) return kept;
    throw error;
  }
}

/** Their names change with their content. @param {Request} request */
async function stored(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url, { ignoreVary: true });
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request.url, answer.clone());
  return answer;
}

async function keep() {
  const cache = await caches.open(CACHE);
  const wanted = new Set([SCOPE.href, new URL("icon.svg", SCOPE).href, ...[...FILES].map((name) => new URL(name, SCOPE).href)]);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  for (const url of kept) if (!wanted.has(url)) await cache.delete(url);
  // Of onnxruntime's builds, and of the vectors, only those that this browser has used, which came through here.
  const missing = [...wanted].filter((url) => !kept.has(url) && !/\.(wasm|bin)$/.test(url));
  await Promise.all(missing.map(async (url) => {
    const answer = await fetch(url);
    if (answer.ok) await cache.put(url, answer);
  }));
}
