"use strict";
// Everything that comes out of the data is put into the page by `make`, as text: nothing here writes markup.

const ROW_HEIGHT = 80;
const KEPT_CHUNKS = 20;
const NARROW = matchMedia("(max-width: 50rem)");
const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

const state = { runs: [], chunk: 1, index: [], found: [], open: null, step: -1, kept: new Map() };
const CHOICES = [
  ["run", "Run", (entry) => [state.runs[entry.run]]],
  ["domain", "Domain", (entry) => [entry.domain]],
  ["outcome", "Outcome", (entry) => [entry.outcome]],
  ["scenario", "Scenario", (entry) => [entry.scenario]],
  ["availability", "Tools", (entry) => [entry.availability]],
  ["end", "End", (entry) => [entry.end]],
  ["category", "With a step", (entry) => entry.categories],
  ["actor", "Actors", (entry) => [entry.expert ? "expert stepped in" : "agent alone"]],
  ["branches", "Tree", (entry) => [entry.branches ? "with branches" : "no branches"]],
  ["flipped", "Runs", (entry) => [entry.flipped ? "disagree" : "agree"]],
];
const ORDERS = {
  "as recorded": () => 0,
  "most steps": (a, b) => b.steps - a.steps,
  "most expert steps": (a, b) => b.expert - a.expert,
  "most tokens": (a, b) => b.tokens - a.tokens,
  "slowest": (a, b) => b.seconds - a.seconds,
};

// ---- the list

function markFlipped() {
  const solved = new Map();
  for (const entry of state.index) {
    const seen = solved.get(entry.id) ?? new Set();
    solved.set(entry.id, seen.add(entry.outcome === "solved"));
  }
  for (const entry of state.index) entry.flipped = solved.get(entry.id).size > 1;
}

function addFilters() {
  for (const [name, label, values] of CHOICES) {
    const all = [...new Set(state.index.flatMap(values))].filter(Boolean).sort();
    if (all.length < 2) continue;
    const options = ["any", ...all].map((value) => make("option", { value: value === "any" ? "" : value }, value));
    $("filters").append(make("label", {}, label, make("select", { name, onchange: filter }, ...options)));
  }
  const orders = Object.keys(ORDERS).map((name) => make("option", {}, name));
  $("filters").append(make("label", {}, "Order", make("select", { name: "order", onchange: filter }, ...orders)));
  $("search").addEventListener("input", filter);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
}

function filter() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = CHOICES.map(([name, , values]) => [$("filters").elements[name]?.value ?? "", values]).filter(([value]) => value);
  const order = $("filters").elements.order.value;
  state.found = state.index.filter((entry) =>
    wanted.every(([value, values]) => values(entry).includes(value)) && words.every((word) => entry.text.includes(word)));
  if (order !== "as recorded") state.found.sort(ORDERS[order]);
  const solved = state.found.filter((entry) => entry.outcome === "solved").length;
  $("count").textContent = `${state.found.length} of ${state.index.length} trajectories, ${solved} solved`;
  $("list").scrollTop = 0;
  drawRows();
}

function drawRows() {
  const rows = $("rows");
  rows.style.height = `${state.found.length * ROW_HEIGHT}px`;
  const first = Math.max(0, Math.floor($("list").scrollTop / ROW_HEIGHT) - 5);
  const last = Math.min(state.found.length, first + Math.ceil($("list").clientHeight / ROW_HEIGHT) + 10);
  rows.replaceChildren(...state.found.slice(first, last).map((entry, place) => row(entry, first + place)));
}

function row(entry, place) {
  const item = make("li", { "aria-setsize": state.found.length, "aria-posinset": place + 1 },
    make("button", { type: "button", "aria-current": entry === state.open, onclick: () => show(entry) },
      make("span", { class: "question" }, entry.question),
      make("span", { class: "facts" }, outcomeBadge(entry.outcome), entry.domain, ` · ${entry.steps} steps`,
        entry.expert ? badge(`expert ${entry.expert}`, "expert") : null,
        entry.branches ? badge(`branches ${entry.branches}`) : null,
        state.runs.length > 1 ? badge(state.runs[entry.run]) : null)));
  item.style.top = `${place * ROW_HEIGHT}px`;
  return item;
}

const badge = (text, kind = "") => make("span", { class: `badge ${kind}` }, String(text));
const outcomeBadge = (name) => badge(name, { solved: "good", failed: "bad", error: "odd" }[name] ?? "");

// ---- one trajectory

async function view(entry) {
  const chunk = Math.floor(entry.place / state.chunk);
  if (!state.kept.has(chunk)) {
    if (state.kept.size >= KEPT_CHUNKS) state.kept.delete(state.kept.keys().next().value);
    state.kept.set(chunk, unpacked(document.getElementsByClassName("chunk")[chunk].textContent));
  }
  return (await state.kept.get(chunk))[entry.place % state.chunk];
}

async function show(entry, step = -1) {
  state.open = entry;
  const trajectory = await view(entry);
  if (state.open !== entry) return;
  const back = make("button", { type: "button", class: "back", onclick: close }, "Back to the list");
  $("detail").replaceChildren(back, ...heading(entry, trajectory), steps(trajectory.steps), ...ending(trajectory));
  $("browser").classList.add("reading");
  $("detail").scrollTop = 0;
  if (NARROW.matches) $("browser").scrollIntoView();
  $("detail").focus({ preventScroll: true });
  state.step = -1;
  drawRows();
  if (step >= 0) goToStep(step);
  else remember();
}

function close() {
  $("browser").classList.remove("reading");
  drawRows();
  const current = document.querySelector("#rows [aria-current=true]");
  (current ?? $("list")).focus();
}

function heading(entry, trajectory) {
  const questions = trajectory.turns.map((turn, place) => make("div", {},
    make("p", { class: "label" }, trajectory.turns.length > 1 ? `Question ${place + 1}` : "Question"),
    make("p", { class: "thought" }, turn.query),
    make("p", { class: "label" }, "Gold answer"), text(turn.gold.answer),
    turn.gold.actions.length ? folded("Gold calls", ...turn.gold.actions.map(action)) : null));
  const given = trajectory.earlier.map((turn) => make("p", { class: "thought" }, `${turn.query} — ${turn.answer}`));
  const head = [make("h3", {}, entry.id), make("p", { class: "facts" }, outcomeBadge(entry.outcome), badge(entry.domain),
    entry.scenario ? badge(entry.scenario) : null, entry.availability ? badge(entry.availability) : null,
    state.runs.length > 1 ? badge(state.runs[entry.run]) : null,
    `end: ${entry.end} · ${entry.tokens} tokens written · ${entry.seconds} s · seed ${trajectory.seed}`
      + (entry.sample ? ` · sample ${entry.sample}` : ""))];
  return [...head, ...questions,
    given.length ? folded(`Earlier turns, given (${given.length})`, ...given) : null,
    trajectory.rules.length ? folded("Rules", ...trajectory.rules.map(text)) : null,
    folded(`Tools (${trajectory.tools.length})`, text(trajectory.tools.join("\n"))),
    folded("Opening", text(trajectory.opening))].filter(Boolean);
}

function ending(trajectory) {
  const scores = trajectory.scores.map((score) => make("li", {},
    `${score.name}: ${score.value === null ? "unscored" : score.value}`,
    score.explanation ? make("span", { class: "thought" }, ` — ${score.explanation}`) : null));
  return [make("h3", {}, `End: ${trajectory.end}`),
    trajectory.error ? text(trajectory.error) : null,
    scores.length ? make("ul", {}, ...scores) : null].filter(Boolean);
}

const steps = (list) => make("ol", { class: "steps" }, ...list.map(step));

function step(item, place) {
  const judged = { correct_final: "good", correct_refusal: "good", gold_call: "good", other_call: "" }[item.category] ?? "bad";
  const said = item.verdict && item.verdict !== "ok" ? badge(item.verdict, "odd") : null;
  return make("li", { class: `step ${item.actor}`, tabindex: "-1" },
    make("p", { class: "facts" }, `Step ${place + 1}`, badge(item.actor, item.actor === "expert" ? "expert" : ""),
      item.category ? badge(item.category, judged) : null, said,
      `reward ${item.reward} · ${item.tokens} tokens · model ${item.model_seconds} s · tool ${item.tool_seconds} s`),
    item.reason ? make("p", { class: "label" }, `The expert stepped in: ${item.reason}`) : null,
    action(item.action),
    ...item.others.map((other) => folded(`The ${other.actor} would have`, action(other.action))),
    item.observation ? make("p", { class: "label" }, "Observation") : null,
    item.observation ? text(item.observation) : null,
    ...item.branches.map(branch));
}

function branch(item, place) {
  const score = item.scores.map((one) => `${one.name} ${one.value === null ? "unscored" : one.value}`).join(", ");
  const title = `Branch ${place + 1}: ${item.steps.length} steps, end ${item.end}${score ? `, ${score}` : ""}`;
  return make("details", { class: "branch" }, make("summary", {}, title), steps(item.steps));
}

function action(item) {
  const parts = item.thought ? [make("p", { class: "thought" }, item.thought)] : [];
  if (item.kind === "call") parts.push(...item.calls.map((call) => text(`${call.name} ${call.arguments}`)));
  if (item.kind === "final") parts.push(make("p", { class: "label" }, "FINAL"), text(item.answer));
  if (item.kind === "malformed") parts.push(make("p", { class: "label" }, `Not readable: ${item.reason}`), text(item.text));
  return make("div", {}, ...parts);
}

const text = (content) => make("pre", { class: "text", tabindex: "0" }, content || "(empty)");
const folded = (title, ...content) => make("details", {}, make("summary", {}, title), ...content);

// ---- keys, address, theme

function visibleSteps() {
  return [...document.querySelectorAll("#detail .step")].filter((element) => !element.parentElement.closest("details:not([open])"));
}

function goToStep(place) {
  const all = visibleSteps();
  if (!all.length) return;
  state.step = Math.max(0, Math.min(all.length - 1, place));
  all.forEach((element, other) => element.classList.toggle("chosen", other === state.step));
  all[state.step].focus({ preventScroll: true });
  all[state.step].scrollIntoView({ block: "nearest" });
  remember();
}

function goToTrajectory(offset) {
  const place = state.found.indexOf(state.open) + offset;
  if (place < 0 || place >= state.found.length) return;
  $("list").scrollTop = Math.max(0, (place - 2) * ROW_HEIGHT);
  show(state.found[place]);
}

function remember() {
  history.replaceState(null, "", `#t=${state.open.place}${state.step >= 0 ? `&s=${state.step}` : ""}`);
}

function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const entry = state.index[Number(asked.get("t") ?? -1)];
  if (entry) show(entry, Number(asked.get("s") ?? -1));
}

const KEYS = {
  j: () => goToStep(state.step + 1),
  k: () => goToStep(state.step - 1),
  n: () => goToTrajectory(1),
  p: () => goToTrajectory(-1),
  "/": () => $("search").focus(),
  Escape: close,
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select");
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS) || (typing && event.key !== "Escape")) return;
  event.preventDefault();
  KEYS[event.key]();
});

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
}

async function start() {
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  Object.assign(state, await unpacked($("facts").textContent));
  state.index = await unpacked($("index").textContent);
  state.index.forEach((entry, place) => {
    entry.place = place;
    entry.text = [entry.id, entry.question, entry.answer, ...entry.tools].join(" ").toLowerCase();
  });
  markFlipped();
  addFilters();
  filter();
  $("list").addEventListener("scroll", () => requestAnimationFrame(drawRows));
  addEventListener("resize", drawRows);
  recall();
  document.documentElement.dataset.ready = "true";
}

start();
