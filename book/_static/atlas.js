// The atlas: choose a truth by two sliders and see what Tables IV and V would look like in its simulated studies. No kernel, no network.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, NAMES, BINS] = [640, 96, 36];

  function element(space, name, attributes, text) {
    const made = space ? document.createElementNS(space, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function slider(host, name, values, said, start = 0) {
    const label = element(null, "label", { class: "atlas-slider" }, `${name}: `);
    const shown = element(null, "output", {});
    const input = element(null, "input", { type: "range", min: 0, max: values.length - 1, step: 1, value: start, "aria-label": name });
    input.addEventListener("input", said);
    label.append(shown, input);
    host.append(label);
    return () => {
      const text = `${Math.round(100 * values[input.value])} %`;
      shown.textContent = text;
      input.setAttribute("aria-valuetext", text);
      return Number(input.value);
    };
  }

  // One row of the drawing: how often each value occurs between two ends, with lines at some of them.
  function row(svg, name, values, [low, high], top, tall, lines) {
    const x = (value) => NAMES + ((value - low) / (high - low)) * (WIDTH - NAMES);
    const counts = new Array(BINS).fill(0);
    for (const one of values) counts[Math.min(BINS - 1, Math.max(0, Math.floor(((one - low) / (high - low)) * BINS)))] += 1;
    const most = Math.max(1, ...counts);
    const wide = (WIDTH - NAMES) / BINS;
    counts.forEach((count, bin) => {
      const height = (count / most) * tall;
      const place = { x: NAMES + bin * wide + 1, y: top + tall - height, width: wide - 2, height };
      svg.append(element(SVG, "rect", { ...place, class: "atlas-bar" }));
    });
    for (const [value, text, style] of lines) {
      svg.append(element(SVG, "line", { x1: x(value), x2: x(value), y1: top - 2, y2: top + tall, class: style }));
      const side = value < (low + high) / 2 ? { "text-anchor": "end", x: x(value) - 4 } : { "text-anchor": "start", x: x(value) + 4 };
      svg.append(element(SVG, "text", { ...side, y: top - 4 }, text));
    }
    svg.append(element(SVG, "line", { x1: NAMES, x2: WIDTH, y1: top + tall, y2: top + tall, class: "atlas-zero" }));
    svg.append(element(SVG, "text", { x: 0, y: top + tall - 2 }, name));
  }

  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

  function draw(svg, cell, data) {
    svg.replaceChildren(element(SVG, "title", {}, "Table IV and the gain of a second branch in simulated studies"));
    let top = 16;
    for (const [name, values] of Object.entries(cell.bars)) {
      row(svg, name, values, [0, 1], top, 40, [[mean(values), mean(values).toFixed(2), "atlas-gap"]]);
      top += 56;
    }
    svg.append(element(SVG, "text", { x: WIDTH, y: top, "text-anchor": "end" }, "macro F1, 0 to 1; red: mean"));
    const ends = [-0.36, 0.36];
    const marks = [[0, "0", "atlas-zero"], [-data.gap, `printed ${(-data.gap).toFixed(3)}`, "atlas-gap"]];
    row(svg, "Mixed − mono", cell.differences, ends, top + 24, 70, marks);
    if (cell.gains.length) row(svg, "dual − plain", cell.gains, ends, top + 124, 40, [[0, "0", "atlas-zero"], [data.gain, `printed ${data.gain.toFixed(3)}`, "atlas-gap"]]);
    else svg.append(element(SVG, "text", { x: 0, y: top + 150 }, "dual − plain: no network was trained on this truth"));
    svg.append(element(SVG, "text", { x: WIDTH, y: top + 182, "text-anchor": "end" }, "difference of macro F1, −0.36 to 0.36"));
  }

  function explore(host) {
    const data = JSON.parse(host.querySelector("script").textContent);
    const svg = element(SVG, "svg", { viewBox: `0 0 ${WIDTH} 372`, role: "img" });
    const words = element(null, "p", { "aria-live": "polite" });
    const update = () => {
      const [strength, confounding] = chosen.map((one) => one());
      const cell = data.cells[confounding][strength];
      draw(svg, cell, data);
      words.textContent = `${cell.differences.length} simulated studies; Table IV looks as printed in ${cell.claimed}. ${cell.gained}`;
    };
    const chosen = [
      slider(host, "Clips with an effect of the group", data.strengths, update),
      slider(host, "Group and laboratory coincide", data.confoundings, update, data.confoundings.length - 1),
    ];
    host.append(svg, words);
    update();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".atlas-explorer").forEach(explore));
})();
