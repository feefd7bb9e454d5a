// Every page's script: one module per behaviour, each attached by data attributes.
import './behaviours/htmx-setup.js';
import './behaviours/ticker.js';
import './behaviours/toasts.js';
import './behaviours/theme.js';
import './behaviours/confirm.js';
import './behaviours/forms.js';
import './behaviours/menu.js';
import './behaviours/list.js';
import './behaviours/tabs.js';
import './behaviours/keys.js';
import './behaviours/palette.js';
import './behaviours/drafts.js';
import './behaviours/conditions.js';
import './behaviours/keep.js';
import './behaviours/typed.js';
import './behaviours/suggest.js';
import './behaviours/articles.js';
import './behaviours/attachments.js';
import './behaviours/markdown.js';
import './behaviours/autosave.js';
import './behaviours/offers.js';
import './behaviours/live.js';

performance.mark('app-ready');
