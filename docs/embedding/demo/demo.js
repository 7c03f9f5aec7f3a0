// A page of another origin: it signs its own user in at the platform, and shows any widget.
const platform = document.querySelector('meta[name="platform"]').content;
const { Headrace } = await import(`${platform}/sdk/headrace.mjs`);

// Your backend does this with a secret of its own, and gives the page a token. Here everybody can be anybody.
const user = `${new URLSearchParams(location.search).get('user') ?? 'ada'}@acme.example`;
const guest = new Headrace({ baseUrl: platform });
async function tokenProvider() {
  const password = `the secret of ${user}`;
  const answer = await guest.api.authenticateUser(user, password).catch(() => guest.api.signupUser(user, password, user));
  return answer.token;
}

const headrace = new Headrace({ baseUrl: platform, tokenProvider, theme: { variables: { colors: { primary: '#5b3fb5' } } } });
await headrace.ready;

const main = document.querySelector('main');
const links = Object.keys(headrace.ui).filter((name) => name !== 'Wizard').map((name) => Object.assign(document.createElement('a'), { href: `#${name}`, textContent: name }));
document.querySelector('nav').append(...links);
let shown;

async function show() {
  const [name = '', id = ''] = location.hash.slice(1).split('/');
  await shown?.destroy();
  for (const link of links) link.toggleAttribute('aria-current', link.hash === `#${name}`);
  const flowId = name === 'Designer' ? id || (await headrace.api.getFlows())[0]?.flowId || (await headrace.api.createFlow('My first flow')) : undefined;
  shown = (headrace.ui[name] ?? headrace.ui.Integrations)({ el: main, ...(flowId ? { flowId } : {}) });
  shown.on('flow:open', (event) => (location.hash = `#Designer/${event.data.flowId}`));
  shown.on('navigate:flows', () => (location.hash = '#FlowManager'));
  await shown.open();
}
addEventListener('hashchange', show);
await show();
