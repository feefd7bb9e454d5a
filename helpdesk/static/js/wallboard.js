// Pages with charts load this besides app.js: Chart.js is larger than everything else together.
import './behaviours/charts.js';
