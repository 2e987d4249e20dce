// The atlas: choose a truth by two sliders and see what Table IV would look like in its simulated studies. No kernel, no network.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, BINS, LEFT, RIGHT] = [640, 220, 36, -0.36, 0.36];

  function element(space, name, attributes, text) {
    const made = space ? document.createElementNS(space, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function slider(host, name, values, said) {
    const label = element(null, "label", { class: "atlas-slider" }, `${name}: `);
    const shown = element(null, "output", {});
    const input = element(null, "input", { type: "range", min: 0, max: values.length - 1, step: 1, value: 0, "aria-label": name });
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

  function draw(svg, differences, gap) {
    const x = (value) => ((value - LEFT) / (RIGHT - LEFT)) * WIDTH;
    const counts = new Array(BINS).fill(0);
    for (const one of differences) {
      const bin = Math.floor(((one - LEFT) / (RIGHT - LEFT)) * BINS);
      counts[Math.min(BINS - 1, Math.max(0, bin))] += 1;
    }
    const most = Math.max(...counts);
    svg.replaceChildren(element(SVG, "title", {}, "Mixed minus mono in every simulated study"));
    counts.forEach((count, bin) => {
      const tall = (count / most) * (HEIGHT - 50);
      const place = { x: (bin * WIDTH) / BINS + 1, y: HEIGHT - 30 - tall, width: WIDTH / BINS - 2, height: tall };
      svg.append(element(SVG, "rect", { ...place, class: "atlas-bar" }));
    });
    for (const [value, name, style] of [[0, "0", "atlas-zero"], [-gap, "printed gap", "atlas-gap"]]) {
      svg.append(element(SVG, "line", { x1: x(value), x2: x(value), y1: 16, y2: HEIGHT - 30, class: style }));
      const side = value < 0 ? { "text-anchor": "end", x: x(value) - 4 } : { "text-anchor": "start", x: x(value) + 4 };
      svg.append(element(SVG, "text", { ...side, y: 14 }, name));
    }
    svg.append(element(SVG, "text", { x: 0, y: HEIGHT - 6 }, "Mixed lower"));
    svg.append(element(SVG, "text", { x: WIDTH, y: HEIGHT - 6, "text-anchor": "end" }, "Mixed higher"));
  }

  function explore(host) {
    const data = JSON.parse(host.querySelector("script").textContent);
    const svg = element(SVG, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    const words = element(null, "p", { "aria-live": "polite" });
    const update = () => {
      const [strength, confounding] = chosen.map((one) => one());
      const cell = data.cells[confounding][strength];
      draw(svg, cell.differences, data.gap);
      words.textContent = `${cell.differences.length} simulated studies; Table IV looks as printed in ${cell.claimed}.`;
    };
    const chosen = [
      slider(host, "Clips with an effect of the group", data.strengths, update),
      slider(host, "Group and laboratory coincide", data.confoundings, update),
    ];
    host.append(svg, words);
    update();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".atlas-explorer").forEach(explore));
})();
