/** The page that the platform shows at its own address. */
import { mount } from 'svelte';
import base from '../kit/style.css?inline';
import App from './App.svelte';
import { language } from './language.svelte.ts';
import css from './page.css?inline';

const sheet = new CSSStyleSheet();
sheet.replaceSync(base + css);
document.adoptedStyleSheets = [sheet];
await language.begin();
mount(App, { target: document.body });
