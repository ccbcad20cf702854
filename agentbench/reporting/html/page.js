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

const state = { runs: [], pairs: [], chunk: 1, index: [], byTask: new Map(), found: [], open: null, beside: null, step: -1, kept: new Map() };
const CHOICES = [
  ["run", "Run", (entry) => [state.runs[entry.run]]],
  ["domain", "Domain", (entry) => [entry.domain]],
  ["outcome", "Outcome", (entry) => [entry.outcome]],
  ["scenario", "Scenario", (entry) => [entry.scenario]],
  ["availability", "Tools", (entry) => [entry.availability]],
  ["hops", "Hops", (entry) => [entry.hops]],
  ["end", "End", (entry) => [entry.end]],
  ["category", "With a step", (entry) => entry.categories],
  ["actor", "Actors", (entry) => [entry.expert ? "expert stepped in" : "agent alone"]],
  ["branches", "Tree", (entry) => [entry.branches ? "with branches" : "no branches"]],
  ["flipped", "Outcomes", (entry) => [entry.flipped ? "disagree" : "agree"]],
];
const ORDERS = {
  "as recorded": () => 0,
  "most steps": (a, b) => b.steps - a.steps,
  "most expert steps": (a, b) => b.expert - a.expert,
  "most tokens": (a, b) => b.tokens - a.tokens,
  "slowest": (a, b) => b.seconds - a.seconds,
};

// ---- the list

function prepare(entry, place) {
  entry.place = place;
  entry.text = [entry.id, entry.question, entry.answer, ...entry.tools].join(" ").toLowerCase();
  const siblings = state.byTask.get(entry.id) ?? [];
  state.byTask.set(entry.id, siblings);
  siblings.push(entry);
}

function markFlipped() {
  for (const siblings of state.byTask.values()) {
    const flipped = new Set(siblings.map((entry) => entry.outcome === "solved")).size > 1;
    for (const entry of siblings) entry.flipped = flipped;
  }
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
      make("span", { class: "facts" }, outcomeBadge(entry.outcome), entry.domain, ` · ${counted(entry.steps, "step")}`,
        entry.expert ? badge(`expert ${entry.expert}`, "expert") : null,
        entry.branches ? badge(counted(entry.branches, "branch")) : null,
        state.runs.length > 1 ? badge(state.runs[entry.run]) : null)));
  item.style.top = `${place * ROW_HEIGHT}px`;
  return item;
}

const counted = (number, name) => `${number} ${name}${number === 1 ? "" : name.endsWith("ch") ? "es" : "s"}`;
const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);
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

async function show(entry, { beside, parted = 0, at = -1 } = pairOf(entry)) {
  Object.assign(state, { open: entry, beside: beside ?? null, step: -1 });
  const trajectory = await view(entry);
  const other = beside ? await view(beside) : null;
  if (state.open !== entry || state.beside !== (beside ?? null)) return;
  const back = make("button", { type: "button", class: "back", onclick: close }, "Back to the list");
  const parts = other
    ? [pairs(entry, trajectory, beside, other, parted), ...ending(trajectory, title(entry)), ...ending(other, title(beside))]
    : [steps(trajectory.steps), ...ending(trajectory)];
  $("detail").replaceChildren(back, ...heading(entry, trajectory), ...chooser(entry), ...parts);
  $("browser").classList.add("reading");
  $("detail").scrollTop = 0;
  if (NARROW.matches) $("browser").scrollIntoView();
  $("detail").focus({ preventScroll: true });
  reveal(state.found.indexOf(entry) * ROW_HEIGHT);
  drawRows();
  if (at >= 0) goToStep(at);
  else remember();
}

function reveal(top) {
  const list = $("list");
  if (top < list.scrollTop || top + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = Math.max(0, top - 2 * ROW_HEIGHT);
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
    make("p", { class: "question-text" }, turn.query),
    make("p", { class: "label" }, "Gold answer"), text(turn.gold.answer),
    turn.gold.actions.length ? folded("Gold calls", ...turn.gold.actions.map(action)) : null));
  const given = trajectory.earlier.map((turn) => make("p", { class: "thought" }, `${turn.query} — ${turn.answer}`));
  const head = [make("h3", {}, entry.id), make("p", { class: "facts" }, outcomeBadge(entry.outcome), badge(entry.domain),
    entry.scenario ? badge(entry.scenario) : null, entry.availability ? badge(entry.availability) : null,
    state.runs.length > 1 ? badge(state.runs[entry.run]) : null,
    `end: ${entry.end} · ${counted(entry.tokens, "token")} written · ${duration(entry.seconds)} · seed ${trajectory.seed}`
      + (entry.sample ? ` · sample ${entry.sample}` : ""))];
  return [...head, ...questions,
    given.length ? folded(`Earlier turns, given (${given.length})`, ...given) : null,
    trajectory.rules.length ? folded("Rules", ...trajectory.rules.map(text)) : null,
    folded(`Tools (${trajectory.tools.length})`, text(trajectory.tools.join("\n"))),
    folded("Opening", text(trajectory.opening))].filter(Boolean);
}

function ending(trajectory, whose = "") {
  const scores = trajectory.scores.map((score) => make("li", {},
    `${score.name}: ${score.value === null ? "unscored" : score.value}`,
    score.explanation ? make("span", { class: "thought" }, ` — ${score.explanation}`) : null));
  return [make("h3", {}, `${whose ? `${whose} – end` : "End"}: ${trajectory.end}`),
    trajectory.error ? text(trajectory.error) : null,
    scores.length ? make("ul", {}, ...scores) : null].filter(Boolean);
}

// ---- two trajectories of a task side by side

const title = (entry) => [state.runs.length > 1 ? state.runs[entry.run] : null, `sample ${entry.sample}`, entry.outcome].filter(Boolean).join(" · ");

function member([run, sample], task) {
  return (state.byTask.get(task) ?? []).find((entry) => entry.run === run && entry.sample === sample);
}

function pairOf(entry) {
  for (const pair of state.pairs) {
    if (pair.task !== entry.id) continue;
    const both = [member(pair.first, pair.task), member(pair.second, pair.task)];
    if (both.includes(entry)) return { beside: both.find((one) => one !== entry), parted: pair.step };
  }
  return {};
}

function chooser(entry) {
  const others = state.byTask.get(entry.id).filter((other) => other !== entry);
  if (!others.length) return [];
  const options = others.map((other) => make("option", { value: other.place, ...(other === state.beside ? { selected: "" } : {}) }, title(other)));
  const choose = (event) => {
    const beside = state.index[event.target.value];
    const known = pairOf(entry);
    show(entry, event.target.value === "" ? {} : { beside, parted: known.beside === beside ? known.parted : 0 });
  };
  return [make("label", { class: "beside" }, "Side by side with",
    make("select", { onchange: choose }, make("option", { value: "" }, "nothing"), ...options))];
}

function pairs(entry, ours, beside, theirs, parted) {
  const rows = Array.from({ length: Math.max(ours.steps.length, theirs.steps.length) }, (_, place) =>
    make("li", { class: place + 1 === parted ? "pair stop parted" : "pair stop", tabindex: "-1" },
      place + 1 === parted ? make("p", { class: "label" }, "From here on they differ") : null,
      half(ours.steps[place], place, title(entry)), half(theirs.steps[place], place, title(beside))));
  return make("ol", { class: "steps" }, ...rows);
}

function half(item, place, whose) {
  const content = item ? step(item, place, "div") : make("p", { class: "over" }, "was over");
  return make("div", {}, make("p", { class: "label" }, whose), content);
}

// ---- steps

const steps = (list, first = 0) => make("ol", { class: "steps" }, ...list.map((item, place) => step(item, first + place)));

function step(item, place, tag = "li") {
  const judged = { correct_final: "good", correct_refusal: "good", gold_call: "good", other_call: "" }[item.category] ?? "bad";
  const said = item.verdict && item.verdict !== "ok" ? badge(item.verdict, "odd") : null;
  return make(tag, { class: `step ${tag === "li" ? "stop " : ""}${item.actor}`, tabindex: "-1" },
    make("p", { class: "facts" }, `Step ${place + 1}`, badge(item.actor, item.actor === "expert" ? "expert" : ""),
      item.category ? badge(item.category, judged) : null, said,
      `reward ${item.reward} · ${item.prompt_tokens} + ${counted(item.tokens, "token")} · model ${duration(item.model_seconds)}`
        + ` · tool ${duration(item.tool_seconds)}`),
    item.reason ? make("p", { class: "label" }, `The expert stepped in: ${item.reason}`) : null,
    item.note ? make("p", { class: "thought" }, item.note) : null,
    action(item.action),
    ...item.others.map((other) => folded(`The ${other.actor} would have`, action(other.action))),
    item.observation ? make("p", { class: "label" }, "Observation") : null,
    item.observation ? text(item.observation) : null,
    ...item.branches.map((other, number) => branch(other, number, place)));
}

function branch(item, number, first) {
  const score = item.scores.map((one) => `${one.name} ${one.value === null ? "unscored" : one.value}`).join(", ");
  const name = `Branch ${number + 1}${item.reason ? ` (${item.reason})` : ""}: ${counted(item.steps.length, "step")}, end ${item.end}${score ? `, ${score}` : ""}`;
  return make("details", { class: "branch" }, make("summary", {}, name), item.error ? text(item.error) : null, steps(item.steps, first));
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
  return [...document.querySelectorAll("#detail .stop")].filter((element) => !element.parentElement.closest("details:not([open])"));
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
  show(state.found[place]);
}

function remember() {
  const beside = state.beside ? `&with=${state.beside.place}` : "";
  history.replaceState(null, "", `#t=${state.open.place}${beside}${state.step >= 0 ? `&s=${state.step}` : ""}`);
}

function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const pair = state.pairs[Number(asked.get("pair") ?? -1)];
  if (pair) {
    $("browser").scrollIntoView();
    show(member(pair.first, pair.task), { beside: member(pair.second, pair.task), parted: pair.step, at: pair.step - 1 });
    return;
  }
  const entry = state.index[Number(asked.get("t") ?? -1)];
  if (!entry) return;
  const known = pairOf(entry);
  const beside = state.index[Number(asked.get("with") ?? -1)];
  show(entry, { beside, parted: known.beside === beside ? known.parted : 0, at: Number(asked.get("s") ?? -1) });
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
  state.index.forEach(prepare);
  markFlipped();
  addFilters();
  filter();
  $("list").addEventListener("scroll", () => requestAnimationFrame(drawRows));
  addEventListener("resize", drawRows);
  addEventListener("hashchange", recall);
  recall();
  document.documentElement.dataset.ready = "true";
}

start();
