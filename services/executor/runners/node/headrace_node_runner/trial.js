/**
 * One component called once on its author's own machine, without a platform: what the executor would answer is kept in
 * memory. Its orders are JSON on the standard input: {folder, root, calls: [{port, content, properties, state}]}; it
 * writes {results: [{outputs, logs, response, error}]}. There is no network, as in the trials of Python.
 */

import fs from 'node:fs';
import net from 'node:net';

import { contextOf, withScope } from './context.js';
import { Effects } from './effects.js';
import { failureOf } from './failures.js';
import { Bundle } from './loading.js';
import { MemoryAsk } from './memory.js';

const PATIENCE_MS = 60_000;
const PSEUDO = new Set(['tick', 'signal', '@start', '@stop']);
const VERBS = /** @type {Record<string, string>} */ ({ tick: 'tick', signal: 'signal', '@start': 'start', '@stop': 'stop' });

/** @param {Bundle} bundle @param {string} root @param {any} given */
async function tried(bundle, root, { port = 'in', content = null, properties = {}, state = {} }) {
    const ask = new MemoryAsk(state);
    const effects = new Effects(/** @type {any} */ (ask));
    try {
        const component = bundle.component(root);
        const verb = VERBS[port] ?? 'receive';
        if (typeof component[verb] !== 'function') {
            throw new TypeError(`${root} has no method ${verb}.`);
        }
        const manifest = bundle.manifest(root);
        const step = stepOf(root, manifest, port, content, properties);
        const sheet = { descriptor_json: packed({ [step.node_id]: { type: step.component_type, source: {} } }), custom_fields: packed({}) };
        const context = contextOf({ step, sheet, verb, manifest, effects, ask: /** @type {any} */ (ask), appmixerApiUrl: '' });
        await context.loadState();
        withScope(context, await ask.scope());
        await Promise.race([component[verb](context), late()]);
        await effects.settle();
        return { ...told(ask, effects), error: null };
    } catch (error) {
        const { name, message } = failureOf(error);
        return { ...told(ask, effects), error: `${name}: ${message}` };
    }
}

/** @param {MemoryAsk} ask @param {Effects} effects */
function told(ask, effects) {
    const { response } = effects;
    return {
        outputs: [...ask.sent, ...effects.outputs].map(({ port, content }) => ({ port, content: read(content) })),
        logs: effects.logs.map(({ level, message }) => ({ level, message: read(message) })),
        response: response ? { ...response, body: read(response.body) } : null
    };
}

/** @param {string} root @param {any} manifest @param {string} port @param {any} content @param {any} properties */
function stepOf(root, manifest, port, content, properties) {
    const type = root.replaceAll('/', '.');
    const message = {
        port, content: packed(content), input: packed(content), node_id: 'source', out_port: 'out',
        correlation_id: 'correlation', headers: Buffer.alloc(0)
    };
    const names = (/** @type {any[]} */ ports = []) => ports.map((each) => (typeof each === 'string' ? each : each.name)).filter(Boolean);
    return {
        tenant_id: 'tenant', flow_id: 'flow', flow_name: 'Flow', node_id: 'node', component_type: type, label: '',
        run_id: 'run', correlation_id: 'correlation', step_id: 'step', attempt: 1, now: null, port, content: packed(content),
        messages: PSEUDO.has(port) ? [] : [message], properties: packed(properties), out_ports: names(manifest.outPorts),
        any_out_port: names(manifest.outPorts).length === 0 || (manifest.outPorts ?? []).some((/** @type {any} */ each) => each?.source && !each.name),
        webhook_base: 'https://hooks.example/flows/flow/components', account: packed({}), config: packed({})
    };
}

/** @returns {Promise<never>} */
function late() {
    return new Promise((_, fail) => {
        setTimeout(() => fail(new Error(`It did not end within ${PATIENCE_MS / 1000} s.`)), PATIENCE_MS).unref();
    });
}

/** @param {any} value */
function packed(value) {
    return Buffer.from(JSON.stringify(value ?? null));
}

/** @param {Buffer} content */
function read(content) {
    return JSON.parse(content.toString('utf8'));
}

/** @this {net.Socket} */
net.Socket.prototype.connect = function unreachable() {
    process.nextTick(() => this.destroy(Object.assign(new Error('There is no network in a trial.'), { code: 'ENETUNREACH' })));
    return this;
};

const orders = JSON.parse(fs.readFileSync(0, 'utf8'));
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = /** @type {any} */ (process.stderr.write.bind(process.stderr));
const bundle = new Bundle(orders.folder);
const results = [];
for (const call of orders.calls) {
    results.push(await tried(bundle, orders.root, call));
}
answer(`${JSON.stringify({ results })}\n`, () => process.exit(0));
