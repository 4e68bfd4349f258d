import { make, setText } from '../view/dom.js';
import { Chart } from './chart.js';

/** One panel: a title, the newest values in large, a note, and a chart. */
export class Panel {
  #values;
  #note = make('p', 'tile-note');
  #chart;

  constructor(tile) {
    this.tile = tile;
    const { id, title, lines } = tile;
    const isPair = lines.length > 1;
    this.#values = lines.map(() => make('span', 'tile-value', { children: ['–'] }));
    const figures = lines.map(({ name }, index) =>
      make('span', 'tile-figure', {
        children: [
          this.#values[index],
          make('span', isPair ? `tile-name line-${index}` : 'visually-hidden', { children: [name] }),
        ],
      }),
    );
    this.place = make('div', 'tile-chart', { role: 'img', 'aria-label': `Chart: ${title}` });
    this.element = make('section', 'tile', {
      id: `tile-${id}`,
      'aria-labelledby': `title-${id}`,
      children: [
        make('h2', 'tile-title', { id: `title-${id}`, children: [title] }),
        make('p', 'tile-figures', { children: figures }),
        this.#note,
        this.place,
      ],
    });
    this.#chart = new Chart(this.place, tile);
  }

  show(history) {
    const { lines, format, note, judge, title } = this.tile;
    const series = lines.map(({ read }) => read(history));
    const texts = series.map((values) => format(values.at(-1)));
    texts.forEach((text, index) => setText(this.#values[index], text));
    setText(this.#note, note(history.last, history));
    this.element.dataset.level = judge?.(history.last).level ?? 'good';
    this.place.setAttribute(
      'aria-label',
      `Chart: ${title} over the last minutes, now ${texts.join(' and ')}`,
    );
    this.#chart.draw([history.times, ...series]);
  }

  restyle() {
    this.#chart.restyle();
  }
}
