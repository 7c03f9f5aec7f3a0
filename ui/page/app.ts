/** The page that the platform shows at its own address. */
import { mount } from 'svelte';
import css from '../kit/style.css?inline';
import App from './App.svelte';

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
document.adoptedStyleSheets = [sheet];
mount(App, { target: document.body });
