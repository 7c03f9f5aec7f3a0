// The page gives the platform's address and a token; elements of the first instance find it by themselves.
const { platform, token } = Object.fromEntries(new URLSearchParams(location.search));
const { Headrace } = await import(`${platform}/sdk/headrace.mjs`);
new Headrace({ baseUrl: platform, accessToken: token });

document.querySelector('hr-flow-manager').addEventListener('flow:open', (event) => {
  event.preventDefault(); // what is built in stays undone: this page says what happens
  document.title = `Flow ${event.detail.flowId}`;
});
