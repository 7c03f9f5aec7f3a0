/** The Backoffice at its own address: signing in, and for administrators the panel, whose code comes only then. */
import { mount } from 'svelte';
import base from '../kit/style.css?inline';
import page from '../page/page.css?inline';
import Door from './Door.svelte';

const sheet = new CSSStyleSheet();
sheet.replaceSync(base + page);
document.adoptedStyleSheets = [sheet];
mount(Door, { target: document.body });
