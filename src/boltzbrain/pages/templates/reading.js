(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("reading-data").textContent);
  const byId = (id) => document.getElementById(id);
  const UP = "#d55e00", DOWN = "#0072b2", PLAIN = "#8a8a94", FAINT = "#d3d3da";
  const neurons = data.neurons, units = data.assemblies.units;
  const regionOf = (n) => neurons.regions[neurons.region[n]];
  const label = (n) => (regionOf(n) ? `${neurons.id[n]} · ${regionOf(n)}` : neurons.id[n]);

  // tables: sorted in place, the first rows drawn, all of them saved
  const SHOWN = 200;
  const compare = (a, b) =>
    a === null ? 1 : b === null ? -1 : typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  for (const figure of document.querySelectorAll(".sortable")) {
    const { heads, columns, fades } = data.tables[figure.dataset.table];
    const all = columns[0].map((_, row) => row);
    const state = { column: -1, down: false, rows: all };
    const [head, body, note] = [figure.querySelector("thead"), figure.querySelector("tbody"), figure.querySelector(".controls span")];
    const cells = heads.map((name, column) => {
      const cell = document.createElement("th");
      cell.textContent = name;
      if (typeof columns[column].find((value) => value !== null) === "number") cell.className = "number";
      cell.tabIndex = 0;
      const sort = () => {
        state.down = state.column === column ? !state.down : typeof columns[column][0] === "number";
        state.column = column;
        draw();
      };
      cell.addEventListener("click", sort);
      cell.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
      return cell;
    });
    head.append(document.createElement("tr"));
    head.firstChild.append(...cells);
    function draw() {
      const words = figure.querySelector("input").value.toLowerCase();
      let rows = words ? all.filter((row) => columns.some((one) => String(one[row] ?? "").toLowerCase().includes(words))) : all.slice();
      if (state.column >= 0) {
        const values = columns[state.column];
        rows.sort((a, b) => (values[a] === null || values[b] === null || !state.down ? 1 : -1) * compare(values[a], values[b]));
      }
      state.rows = rows;
      cells.forEach((cell, column) => {
        if (column === state.column) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
      });
      body.replaceChildren(...rows.slice(0, SHOWN).map((row) => {
        const line = document.createElement("tr");
        if (fades && columns[fades.column][row] < fades.below) line.className = "not-returning";
        line.append(...columns.map((one) => {
          const cell = document.createElement("td");
          cell.textContent = one[row] ?? "";
          if (typeof one[row] === "number") cell.className = "number";
          return cell;
        }));
        return line;
      }));
      note.textContent = rows.length > SHOWN ? `${rows.length} rows, ${SHOWN} shown` : `${rows.length} row${rows.length === 1 ? "" : "s"}`;
    }
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    // a spreadsheet takes text that begins like a formula for one, unless an apostrophe precedes it
    const inert = (value) => (/^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value);
    figure.querySelector("button").addEventListener("click", () => {
      const lines = [heads, ...state.rows.map((row) => columns.map((one) => one[row] ?? ""))];
      const text = lines.map((line) => line.map((value) => quoted(inert(String(value)))).join(",")).join("\n") + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      link.download = `${figure.dataset.table}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
    figure.querySelector("input").addEventListener("input", draw);
    draw();
  }

  // the gallery
  const orders = {
    activity: data.assemblies.order,
    number: units.map((_, unit) => unit),
    size: units.map((_, unit) => unit).sort((a, b) => units[b].members.length - units[a].members.length),
  };
  const chooser = byId("gallery-unit"), orderChooser = byId("gallery-order");
  let order = orders.activity;
  function bars(parent, rows, up = UP, faint = () => false) {
    const most = Math.max(...rows.map((row) => Math.abs(row[1])), 1e-12);
    parent.replaceChildren(...rows.map(([name, value], place) => {
      const line = document.createElement("div"), bar = document.createElement("i");
      const [words, number] = [document.createElement("span"), document.createElement("span")];
      words.textContent = words.title = name;
      number.textContent = Number(value.toPrecision(3));
      bar.style.width = `${(100 * Math.abs(value)) / most}%`;
      bar.style.background = value < 0 ? DOWN : up;
      bar.classList.toggle("faint", faint(place));
      const room = document.createElement("span");
      room.append(bar);
      line.append(words, room, number);
      return line;
    }));
  }
  function trace(values) {
    const svg = byId("gallery-trace");
    const low = Math.min(...values, 0), high = Math.max(...values, low + 1e-9);
    const points = values.map((value, bin) =>
      `${((600 * bin) / Math.max(values.length - 1, 1)).toFixed(1)},${(116 - (112 * (value - low)) / (high - low)).toFixed(1)}`);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", points.join(" "));
    line.setAttribute("fill", "none");
    line.setAttribute("stroke", UP);
    line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.replaceChildren(line);
    const seconds = (values.length * data.assemblies.bin_width_s).toPrecision(3);
    byId("gallery-bins").textContent =
      `first ${values.length} ${data.assemblies.fold} bins (${Number(seconds)} s), from ${Number(low.toPrecision(2))} to ${Number(high.toPrecision(2))}`;
  }
  const canvas = byId("gallery-space");
  let project = null;
  if (canvas) {
    const span = neurons.xyz.map((axis) => [axis.reduce((a, b) => Math.min(a, b)), axis.reduce((a, b) => Math.max(a, b))]);
    const size = span.map(([low, high]) => high - low);
    const kept = [0, 1, 2].sort((a, b) => size[b] - size[a]).slice(0, 2).sort();
    const scale = Math.min(...kept.map((axis, k) => ([600, 480][k]) / Math.max(size[axis], 1)));
    project = (n) => kept.map((axis, k) => {
      const middle = (span[axis][0] + span[axis][1]) / 2;
      return [320, 260][k] + (k ? -1 : 1) * scale * (neurons.xyz[axis][n] - middle);
    });
  }
  const placeOf = new Map((neurons.known || []).map((n, place) => [n, place]));
  function members(unit) {
    const draw = canvas.getContext("2d");
    draw.clearRect(0, 0, canvas.width, canvas.height);
    const dot = neurons.known.length > 5000 ? 1.5 : 3;
    draw.fillStyle = FAINT;
    neurons.known.forEach((_, place) => {
      const [x, y] = project(place);
      draw.fillRect(x - dot / 2, y - dot / 2, dot, dot);
    });
    const weight = new Map(units[unit].top.map((n, k) => [n, units[unit].weights[k]]));
    for (const n of units[unit].members) {
      if (!placeOf.has(n)) continue;
      const [x, y] = project(placeOf.get(n));
      draw.fillStyle = (weight.get(n) ?? 1) < 0 ? DOWN : UP;
      draw.beginPath();
      draw.arc(x, y, dot + 1.5, 0, 7);
      draw.fill();
    }
  }
  function show(unit) {
    chooser.value = unit;
    const one = units[unit];
    const back = one.agreement === undefined ? "" : `, ${one.returns ? "comes back" : "does not come back"} in other trainings (agreement ${one.agreement})`;
    byId("gallery-words").textContent = `${one.members.length} members, ${order.indexOf(unit) + 1} of ${units.length} hidden units${back}`;
    byId("gallery").classList.toggle("not-returning", one.returns === false);
    const mine = new Set(one.members);
    bars(byId("gallery-weights"), one.top.map((n, k) => [label(n), one.weights[k]]), UP, (k) => !mine.has(one.top[k]));
    trace(one.trace);
    byId("gallery-regions-head").hidden = !one.regions;
    bars(byId("gallery-regions"), one.regions || [], PLAIN);
    if (canvas) members(unit);
  }
  const step = (by) => show(order[(order.indexOf(Number(chooser.value)) + by + units.length) % units.length]);
  function fill() {
    chooser.replaceChildren(...order.map((unit) => new Option(unit, unit)));
    show(order[0]);
  }
  if (units.length) {
    chooser.addEventListener("change", () => show(Number(chooser.value)));
    orderChooser.addEventListener("change", () => { order = orders[orderChooser.value]; fill(); });
    byId("gallery-back").addEventListener("click", () => step(-1));
    byId("gallery-next").addEventListener("click", () => step(1));
    byId("gallery").tabIndex = 0;
    byId("gallery").addEventListener("keydown", (event) => {
      if (event.target.tagName === "SELECT") return;
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    fill();
  }
})();
