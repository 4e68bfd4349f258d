import uPlot from '/vendor/uplot/uPlot.esm.js';
import { count } from './units.js';

const SHORTEST_SECONDS = 120;
const HEIGHT = 120;
/** Steps of an axis that counts things: there are no halves of them. */
const WHOLE_STEPS = [1, 2, 5]
  .flatMap((digit) => [0, 1, 2, 3, 4, 5, 6].map((power) => digit * 10 ** power))
  .toSorted((a, b) => a - b);

/** A small chart of one or two lines over the last minutes, drawn in the colours of the theme. */
export class Chart {
  #plot;
  #data;

  constructor(place, { lines, format }) {
    this.place = place;
    this.lines = lines;
    this.format = format;
    this.#data = [[], ...lines.map(() => [])];
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  /** @param data times in seconds, then the values of each line; null where there is none. */
  draw(data) {
    this.#data = data;
    if (this.#plot) this.#plot.setData(data);
    else this.restyle();
  }

  /** Makes it anew: the colours are those of the theme at this moment. */
  restyle() {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#data, this.place);
  }

  #fit() {
    this.#plot?.setSize({ width: this.place.clientWidth, height: HEIGHT });
  }

  #options() {
    const colour = (name) => resolve(this.place, name);
    const axis = {
      stroke: colour('--chart-text'),
      font: '11px Inter Variable, sans-serif',
      ticks: { show: false },
    };
    return {
      width: this.place.clientWidth,
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_plot, min, max) => rangeOf(min, max) },
        y: { range: (_plot, _min, max) => [0, top(max)] },
      },
      axes: [
        { ...axis, size: 22, space: 70, grid: { show: false }, values: '{HH}:{mm}:{ss}' },
        {
          ...axis,
          ...(this.format === count && { incrs: WHOLE_STEPS }),
          size: 46,
          space: 34,
          grid: { stroke: colour('--chart-grid'), width: 1 },
          values: (_plot, splits) => splits.map((value) => this.format(value)),
        },
      ],
      series: [{}, ...this.lines.map((_line, index) => lineOf(index, colour))],
    };
  }
}

function lineOf(index, colour) {
  const stroke = colour(index === 0 ? '--chart-first' : '--chart-second');
  return {
    stroke,
    width: 1.75,
    points: { show: false },
    ...(index === 0 ? { fill: colour('--chart-fill') } : { dash: [5, 3] }),
  };
}

/** A colour of the stylesheet as a canvas can read it: `light-dark()` is resolved only where it is used. */
function resolve(place, name) {
  place.style.color = `var(${name})`;
  const { color } = getComputedStyle(place);
  place.style.color = '';
  return color;
}

function rangeOf(min, max) {
  const end = max ?? Date.now() / 1000;
  return [Math.min(min ?? end, end - SHORTEST_SECONDS), end];
}

function top(max) {
  return Math.max(max ?? 0, 1) * 1.15;
}
