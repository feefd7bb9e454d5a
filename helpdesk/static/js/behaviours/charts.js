// <div class="chart" id data-chart='{"type": "line|bar", "labels": […], "series": [{"name", "values", "tone", "dashed"}],
// "target": {"value", "label"}, "min", "max", "stacked"}' role="img" aria-label hx-morph-skip-children>.
// Tones are the colours of tokens.css: accent, ok, warn, bad, muted. The same numbers stand in a table beside the chart.

import {
  BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip,
} from 'chart.js';
import { make, onPage } from '../lib/page.js';

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip);

const drawn = new Map();
const FILLS = { ok: 'state-ok' };  // tokens made for text are too dark for whole bars

// The line that figures are held against, with its words at the right end.
const targetLine = {
  id: 'target',
  afterDatasetsDraw(chart, _args, { value, label }) {
    if (value == null) return;
    const { ctx, chartArea: area, scales } = chart;
    const y = scales.y.getPixelForValue(value);
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour('text');
    ctx.setLineDash([4, 3]);
    ctx.beginPath();
    ctx.moveTo(area.left, y);
    ctx.lineTo(area.right, y);
    ctx.stroke();
    ctx.textAlign = 'right';
    ctx.fillText(label ?? String(value), area.right, y - 4);
    ctx.restore();
  },
};

function draw(place) {
  const data = JSON.parse(place.dataset.chart);
  const known = drawn.get(place);
  if (known) {
    Object.assign(known, settings(data));
    known.update('none');
    return;
  }
  const canvas = place.appendChild(make('canvas'));
  drawn.set(place, new Chart(canvas, { ...settings(data), plugins: [targetLine] }));
}

function settings({ type, labels, series, target, min, max, stacked = false }) {
  const ink = colour('muted');
  const lines = colour('line');
  const axis = { stacked, grid: { color: lines }, ticks: { color: ink, precision: 0 } };
  return {
    type,
    data: { labels, datasets: series.map((one) => dataset(type, one, target)) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: 'index', intersect: false },
      font: { family: getComputedStyle(document.body).fontFamily },
      plugins: {
        legend: { display: series.length > 1, align: 'start', labels: { color: colour('text'), boxHeight: 2, boxWidth: 22 } },
        target: target ?? {},
      },
      scales: { x: { ...axis, grid: { display: false } }, y: { ...axis, min, max, beginAtZero: min === undefined } },
    },
  };
}

function dataset(type, { name, values, tone = 'accent', dashed = false }, target) {
  // Bars below the target are red; the line and the table say the same without colour.
  const tones = type === 'bar' && target ? values.map((value) => (value < target.value ? 'bad' : tone)) : [tone];
  const colours = tones.map(colour);
  return {
    label: name,
    data: values,
    backgroundColor: type === 'bar' ? colours : colours[0],
    borderColor: colours[0],
    borderDash: dashed ? [6, 4] : [],
    borderWidth: type === 'bar' ? 0 : 2,
    pointRadius: 0,
    borderRadius: 2,
  };
}

/** A token as a colour that a canvas understands: light-dark() is resolved by the browser itself. */
function colour(token) {
  const probe = document.body.appendChild(make('span', { hidden: true }));
  probe.style.color = `var(--${FILLS[token] ?? token})`;
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

onPage('[data-chart]', (place) => {
  draw(place);
  new MutationObserver(() => draw(place)).observe(place, { attributeFilter: ['data-chart'] });
});
document.addEventListener('theme', () => {
  for (const [place, chart] of drawn) {
    if (place.isConnected) draw(place);
    else {
      chart.destroy();
      drawn.delete(place);
    }
  }
});
