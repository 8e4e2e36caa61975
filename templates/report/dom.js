// Elements from text and nothing else: names in a report come from strangers' models.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

let controlCount = 0;

export function choice(label, options, value, change) {
  const id = `c${++controlCount}`;
  const select = h("select", { id, on: { change: () => change(select.value) } });
  for (const [key, title] of options) select.append(h("option", { value: key, text: title, selected: key === value }));
  return h("span", { class: "control" }, h("label", { for: id, text: label }), select);
}

export function section(id, title, lead) {
  const heading = h("h2", { id: `${id}-title`, text: title });
  return h("section", { id, "aria-labelledby": heading.id }, heading, lead ? h("p", { class: "lead", text: lead }) : null);
}

export function table(caption, head, rows) {
  const cells = (row) => row.map((cell, index) => {
    const holds = cell instanceof Node ? cell : String(cell ?? "");
    return h(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : { class: typeof cell === "string" && /^[−+\d–]/.test(cell) ? "number" : null }, holds);
  });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "hidden", text: caption }),
      h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col", text: title })))),
      h("tbody", {}, rows.map((row) => h("tr", {}, cells(row))))));
}

export function filler(command, what) {
  return h("p", { class: "filler" }, `${what} `, h("code", { text: command }), " fills this.");
}

// Calls `draw(width)` now and whenever the width of `holder` changes.
export function whenWide(holder, draw) {
  let last = 0;
  new ResizeObserver(() => {
    const width = Math.floor(holder.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  }).observe(holder);
  return () => draw(last || Math.floor(holder.clientWidth) || 320);
}

// Axes and lines are for the eye: what they say is in the labels of the dots and in the tables. Plot labels the group of
// each mark by its kind; `name` is the kind whose parts are given labels of their own.
export function settled(chart, name) {
  chart.setAttribute("role", "group");
  for (const group of chart.querySelectorAll("g[aria-label]")) {
    if (group.getAttribute("aria-label") === name) group.setAttribute("role", "group");
    else {
      group.setAttribute("aria-hidden", "true");
      group.removeAttribute("aria-label");
    }
  }
  return chart;
}
