// The API's page loads this besides app.js.
import './behaviours/api-try.js';
