// Runs one function for the benchmark that waits at the server, and tells what it gave: nobody else talks to this page.

const { module, name, given } = await (await fetch("/job")).json();
const told = await (await import(module))[name](given).then(
  (value) => ({ value }),
  (error) => ({ error: String(error?.stack ?? error) }),
);
await fetch("/told", { method: "POST", body: JSON.stringify(told) });
