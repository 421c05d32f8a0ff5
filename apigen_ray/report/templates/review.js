const run = document.getElementById("run").dataset;
const rows = [...document.querySelectorAll(".row")];
const why = document.getElementById("why");
const buttons = [...document.querySelectorAll("#labels button")];
const store = `apigen-ray review ${run.key}`;
let labels = {};
let at = 0;

try {
  labels = JSON.parse(localStorage.getItem(store) || "{}");
} catch {
  labels = {}; // a browser may keep nothing for files: the labels then last as long as the page
}

function keep() {
  try {
    localStorage.setItem(store, JSON.stringify(labels));
  } catch {}
}

function id() {
  return rows[at].dataset.id;
}

function show() {
  rows.forEach((row, place) => { row.hidden = place !== at; });
  const given = labels[id()] || {};
  why.value = given.why || "";
  buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.label === given.label));
  const counts = ["right", "wrong", "unsure"].map((label) =>
    `${Object.values(labels).filter((each) => each.label === label).length} ${label}`);
  document.getElementById("place").textContent = `${at + 1} of ${rows.length}`;
  document.getElementById("counts").textContent = counts.join(", ");
}

function move(to) {
  at = Math.min(Math.max(to, 0), rows.length - 1);
  show();
}

function label(given) {
  labels[id()] = { ...labels[id()], label: given };
  keep();
  if (given === "right") move(at + 1);
  else { show(); why.focus(); }
}

function nextWithoutLabel() {
  const order = [...rows.keys()].map((step) => (at + 1 + step) % rows.length);
  const found = order.find((place) => !(labels[rows[place].dataset.id] || {}).label);
  if (found !== undefined) move(found);
}

function save() {
  const given = rows
    .map((row) => ({ id: row.dataset.id, ...labels[row.dataset.id] }))
    .filter((each) => each.label);
  const text = JSON.stringify({ run: run.run, labels: given }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "labels.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

const keys = {
  r: () => label("right"),
  w: () => label("wrong"),
  u: () => label("unsure"),
  e: () => why.focus(),
  n: nextWithoutLabel,
  s: save,
  ArrowLeft: () => move(at - 1),
  ArrowRight: () => move(at + 1),
};

document.addEventListener("keydown", (event) => {
  if (event.target === why) {
    if (event.key === "Escape") why.blur();
    if (event.key === "Enter") { why.blur(); move(at + 1); }
    return;
  }
  const action = keys[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});
why.addEventListener("input", () => {
  labels[id()] = { ...labels[id()], why: why.value };
  keep();
});
buttons.forEach((button) => button.addEventListener("click", () => label(button.dataset.label)));
document.getElementById("back").addEventListener("click", keys.ArrowLeft);
document.getElementById("next").addEventListener("click", keys.ArrowRight);
document.getElementById("save").addEventListener("click", save);
show();
