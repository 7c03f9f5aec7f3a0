/** The `context` that a component sees, with every member that the public contract names. */

import { StaticCache } from './cache.js';
import { CancelError, Missing } from './failures.js';
import { filesOf } from './files.js';
import { asJson } from './host.js';
import { client } from './http.js';
import { storesOf } from './stores.js';

const LEVELS = new Set(['debug', 'info', 'warning', 'error']);
const PSEUDO_PORTS = new Set(['tick', 'signal', '@start', '@stop']);
const cache = new StaticCache();

const ABSENT = {
    triggerListeners: 'that is for plugins',
    onListenerAdded: 'that is for plugins',
    triggerComponent: 'that is for plugins; a component calls the webhook of another one'
};

/** Raised by auth modules whose token is no longer taken. */
export class InvalidTokenError extends Error {
    /** @param {string} [message] */
    constructor(message = 'The token is not valid.') {
        super(message);
        this.name = 'InvalidTokenError';
    }
}

/**
 * @param {{step: any, sheet: any, verb: string, manifest: any, effects: import('./effects.js').Effects,
 *   ask: import('./host.js').Ask, appmixerApiUrl: string}} given
 */
export function contextOf({ step, sheet, verb, manifest, effects, ask }) {
    const messages = messagesOf(step);
    const account = objectOf(step.account);
    const config = objectOf(step.config);
    /** @type {any} */
    let state = {};
    /** @type {any} */
    const context = {
        id: step.step_id,
        flowId: step.flow_id,
        flowInfo: { flowId: step.flow_id, flowName: step.flow_name },
        componentId: step.node_id,
        componentType: step.component_type,
        type: step.component_type,
        label: step.label,
        userId: step.tenant_id,
        userInfo: { id: step.tenant_id, userId: step.tenant_id },
        callerId: step.run_id ? undefined : step.node_id, // who is configured with a call of it by itself
        runId: step.run_id,
        correlationId: step.correlation_id,
        idempotencyKey: step.step_id,
        attempt: step.attempt,
        properties: objectOf(step.properties),
        messages,
        scope: /** @type {Record<string, any>} */ ({}),
        config,
        profileInfo: account.profileInfo ?? {},
        auth: authOf(account, config, manifest, step),
        constants: { PUBLIC_USER_ID: 'public' },
        gridInstanceId: process.pid.toString(),
        appmixerApiUrl: step.webhook_base.replace(/\/flows\/[^/]*\/components$/, ''),

        CancelError,
        cancelError: CancelError,
        ContextCancelError: CancelError,
        InvalidTokenError,

        sendJson: (/** @type {any} */ value, port = onlyPort(step), options = {}) => {
            checkPort(step, port);
            return effects.send(value, port, options ?? {});
        },
        send: (/** @type {any} */ value, port = onlyPort(step), /** @type {string} */ mime = '', options = {}) => {
            checkPort(step, port);
            return effects.send(Buffer.isBuffer(value) ? value.toString('utf8') : value, port, options ?? {});
        },
        sendArray: async (/** @type {any[]} */ values, port = onlyPort(step), options = {}) => {
            checkPort(step, port);
            for (const each of values) {
                await effects.send(each, port, options ?? {});
            }
        },
        sendError: (/** @type {any} */ error) => {
            throw error instanceof Error ? error : new CancelError(error);
        },
        response: async (/** @type {any} */ body = {}, status = 200, headers = {}) => effects.respond(body, status, headers),
        log: (/** @type {any[]} */ ...given) => logged(effects, given),
        stopFlow: async () => {
            effects.stopsFlow = true;
        },

        ...roomOf(ask, 'node', (/** @type {any} */ value) => {
            state = value;
        }),
        service: roomOf(ask, 'service'),
        flow: roomOf(ask, 'flow'),
        store: storesOf(ask),
        ...filesOf(ask),
        staticCache: cache.of(step.flow_id),

        lock: (/** @type {string} */ name, /** @type {any} */ options) => lock(ask, name, options),
        setTimeout: async (/** @type {any} */ content, /** @type {number} */ milliseconds) => {
            const delay = Number(milliseconds);
            if (!Number.isFinite(delay) || delay < 0) {
                throw new CancelError(`${milliseconds} is no number of milliseconds to wait.`);
            }
            return ask.setTimeout(content ?? {}, nowOf(step) + delay);
        },
        sendSignal: async (/** @type {any} */ content = {}) => ask.tell(content),
        callAppmixer: (/** @type {any} */ given) => callApi(ask, given),
        loadVariables: async () => variablesOf(await ask.offers()),
        loadOutputSchemaProperties: async (/** @type {string} */ componentId) => propertiesOf(await ask.offers(String(componentId))),
        execOnWorker: async (/** @type {any} */ work, /** @type {any[]} */ given = []) => work(...given),
        addListener: async (/** @type {string} */ event, /** @type {any} */ params = {}) => ask.listen('add', String(event), params),
        removeListener: async (/** @type {string} */ event) => ask.listen('remove', String(event)),
        clearTimeout: (/** @type {string} */ timeoutId) => ask.clearTimeout(timeoutId),
        componentStaticCall: (/** @type {string} */ type, /** @type {string} */ outPort, /** @type {any} */ given) =>
            staticCall(ask, type, outPort, given),
        getWebhookUrl: (/** @type {any} */ options) => webhookUrl(step, manifest, options),
        getWebhookURL: (/** @type {any} */ options) => webhookUrl(step, manifest, options),

        utils: {
            processItem,
            P: { mapArray: (/** @type {any[]} */ list, /** @type {any} */ map) => Promise.all(list.map(map)) },
            Error: { stringify: (/** @type {any} */ error) => String(error?.stack ?? error) }
        },
        createError: (/** @type {string} */ message, /** @type {any} */ data) => Object.assign(new Error(message), { data }),
        signal: verb === 'signal' ? { content: parsed(step.content) } : undefined
    };
    for (const [name, why] of Object.entries(ABSENT)) {
        context[name] = () => {
            throw new Missing(`context.${name}`, `${why}.`);
        };
    }
    lazily(context, 'httpRequest', () => client());
    lazily(context, 'flowDescriptor', () => parsed(sheet.descriptor_json));
    lazily(context, 'customFields', () => parsed(sheet.custom_fields));
    lazily(context, 'db', () => {
        throw new Missing('context.db', 'collections are for plugins; use context.service, a data store, or a route of the plugin.');
    });
    Object.defineProperty(context, 'state', {
        enumerable: true,
        configurable: true,
        get: () => state,
        set: (value) => {
            effects.pending.push(context.saveState(value));
        }
    });
    return context;
}

/** @param {import('./effects.js').Effects} effects @param {any[]} given an object, or level, message and data */
function logged(effects, given) {
    const [first, message, data] = given;
    if (given.length > 1 && typeof first === 'string') {
        const level = first === 'warn' ? 'warning' : first;
        const shown = data === undefined ? message : { message, data };
        effects.log(LEVELS.has(level) ? level : 'info', shown);
    } else {
        effects.log('info', first);
    }
    return Promise.resolve();
}

/** @param {any} step */
function messagesOf(step) {
    /** @type {Record<string, any>} */
    const messages = {};
    for (const each of step.messages) {
        const original = parsed(each.content);
        const isFired = each.port === step.port && step.messages.length === 1;
        const input = each.input.length ? parsed(each.input) : isFired ? parsed(step.content) : original;
        add(messages, each.port, {
            content: input,
            originalContent: original,
            correlationId: each.correlation_id,
            contentType: 'application/json',
            contentEncoding: 'utf8',
            headers: each.headers.length ? parsed(each.headers) : {},
            scope: {},
            sender: { componentId: each.node_id, port: each.out_port }
        });
    }
    if (step.messages.length === 0 && !PSEUDO_PORTS.has(step.port)) {
        const content = parsed(step.content);
        add(messages, step.port, { content, originalContent: content, correlationId: step.correlation_id, headers: {}, scope: {} });
    }
    for (const hidden of PSEUDO_PORTS) {
        delete messages[hidden];
    }
    if (messages.store) { // a change of a data store, which components expect as a call of their webhook
        const { content } = messages.store;
        messages.webhook = { ...messages.store, content: { method: 'POST', data: content, headers: {}, query: {}, hostname: '' } };
        delete messages.store;
    }
    return messages;
}

/** @param {Record<string, any>} messages @param {string} port @param {any} message */
function add(messages, port, message) {
    const before = messages[port];
    messages[port] = before === undefined ? message : [before, message].flat();
}

/**
 * What is known of the account. A component that has none hears so where it first asks, and not from the far side.
 * @param {any} account @param {any} config @param {any} manifest @param {any} step
 */
function authOf(account, config, manifest, step) {
    const known = { ...config, ...account };
    const service = manifest?.auth?.service;
    if (!service || Object.keys(account).length) {
        return known;
    }
    return new Proxy(known, {
        get: (target, name) => {
            if (typeof name === 'symbol' || name in target || name === 'then' || name === 'toJSON') {
                return Reflect.get(target, name);
            }
            throw new Missing(`context.auth.${name}`, `node ${step.node_id} has no account of ${service}.`);
        }
    });
}

/** What led to the messages, on each of them and on the context. @param {any} context @param {Record<string, any>} scope */
export function withScope(context, scope) {
    context.scope = scope;
    for (const each of Object.values(context.messages).flat()) {
        each.scope = scope;
    }
}

/** What a field of the node may hold. @param {any[]} offers */
function variablesOf(offers) {
    return offers.map(({ nodeId, port, path, label, schema, variable }) => ({
        componentId: nodeId, port, path, label, value: variable, schema: schema ?? undefined, type: schema?.type
    }));
}

/** Paths below a component's out-ports, by port, each beginning with the port. @param {any[]} offers */
function propertiesOf(offers) {
    /** @type {Record<string, {path: string, type?: string, label: string}[]>} */
    const found = {};
    for (const { port, path, label, schema } of offers) {
        (found[port] ??= []).push({ path: path ? `${port}.${path}` : port, type: schema?.type, label });
    }
    return found;
}

/** @param {any} step */
function onlyPort(step) {
    return step.out_ports.length === 1 ? step.out_ports[0] : 'out';
}

/** @param {any} step @param {any} port */
function checkPort(step, port) {
    if (!step.any_out_port && !step.out_ports.includes(port)) {
        const known = [...step.out_ports].sort().join(', ') || 'none';
        throw new CancelError(`${step.component_type} has no out-port ${port}: its out-ports are ${known}.`);
    }
}

/** State of a room. @param {import('./host.js').Ask} ask @param {import('./host.js').Room} room @param {(all: any) => void} [see] */
export function roomOf(ask, room, see = () => {}) {
    const name = (/** @type {any} */ key) => String(key);
    return {
        loadState: async () => {
            const all = await ask.state(room, 'all');
            see(all);
            return all;
        },
        saveState: async (/** @type {any} */ value) => {
            const written = objectFor(value);
            see(value ?? {});
            await ask.state(room, 'replace', '', written);
        },
        stateGet: async (/** @type {any} */ key) => {
            const found = await ask.state(room, 'get', name(key));
            return found.length ? found[0] : null;
        },
        stateSet: (/** @type {any} */ key, /** @type {any} */ value) => ask.state(room, 'set', name(key), value),
        stateUnset: (/** @type {any} */ key) => ask.state(room, 'unset', name(key)),
        stateClear: () => ask.state(room, 'clear'),
        stateInc: (/** @type {any} */ key, by = 1) => ask.state(room, 'inc', name(key), by),
        stateAddToSet: (/** @type {any} */ key, /** @type {any} */ value) => ask.state(room, 'add', name(key), value),
        stateRemoveFromSet: (/** @type {any} */ key, /** @type {any} */ value) => ask.state(room, 'remove', name(key), value)
    };
}

/** @param {any} value */
function objectFor(value) {
    if (value !== null && value !== undefined && (typeof value !== 'object' || Array.isArray(value))) {
        throw new CancelError('A state is an object.');
    }
    return value ?? {};
}

/** @param {import('./host.js').Ask} ask @param {string} name @param {{ttl?: number, retryDelay?: number, maxRetryCount?: number}} options */
export async function lock(ask, name, { ttl = 20_000, retryDelay = 200, maxRetryCount = 30 } = {}) {
    const what = { name: String(name), ttlMs: Number(ttl) };
    const handle = await ask.lock({ ...what, verb: 'acquire', delayMs: Number(retryDelay), retries: Number(maxRetryCount) });
    return {
        unlock: () => ask.lock({ ...what, verb: 'release', handle }),
        extend: (/** @type {number} */ milliseconds) =>
            ask.lock({ ...what, verb: 'extend', handle, ttlMs: Number(milliseconds) || what.ttlMs })
    };
}

/** @param {import('./host.js').Ask} ask @param {{endPoint?: string, method?: string, qs?: any, body?: any}} given */
async function callApi(ask, given) {
    if (typeof given?.endPoint !== 'string') {
        throw new CancelError('context.callAppmixer takes { endPoint, method, qs, body }.');
    }
    return ask.api({ method: given.method ?? 'GET', endPoint: given.endPoint, query: given.qs ?? {}, body: given.body });
}

/** @param {import('./host.js').Ask} ask @param {string} type @param {string} outPort @param {any} given */
async function staticCall(ask, type, outPort, { messages, properties, transform } = {}) {
    if (!ask.knows('CallQuestion')) {
        throw new Missing('context.componentStaticCall', 'components cannot call other components in this release.');
    }
    const question = {
        type,
        out_port: outPort ?? '',
        messages: asJson(messages ?? {}, 'the messages'),
        properties: asJson(properties ?? {}, 'the properties'),
        transform: transform ?? ''
    };
    return ask.ask({ call: question });
}

/** @param {any} step @param {any} manifest @param {any} options */
function webhookUrl(step, manifest, options = {}) {
    const url = new URL(`${step.webhook_base}/${step.node_id}`);
    if (manifest?.inPorts?.length && step.port && !step.port.startsWith('@')) {
        url.searchParams.set('correlationId', options.correlationId ?? step.correlation_id);
        url.searchParams.set('correlationInPort', options.inPortName ?? step.port);
    } else if (options.correlationId) {
        url.searchParams.set('correlationId', options.correlationId);
    }
    if (options.enqueueOnly) {
        url.searchParams.set('enqueueOnly', 'true');
    }
    return url.href;
}

/**
 * One item of a list that is polled: its id is seen now, and it is new where the last look is known and had it not.
 * @param {any} known @param {any} actual @param {any} fresh @param {(item: any) => any} idOf @param {any} item
 */
function processItem(known, actual, fresh, idOf, item) {
    const id = idOf(item);
    const had = known instanceof Set ? known.has(id) : known?.includes(id);
    if (known && !had) {
        put(fresh, item);
    }
    put(actual, id);
}

/** @param {any} list @param {any} item */
function put(list, item) {
    if (list instanceof Set) {
        list.add(item);
    } else {
        list.push(item);
    }
}

/** @param {any} step */
function nowOf(step) {
    return step.now ? step.now.seconds * 1000 + Math.round(step.now.nanos / 1e6) : Date.now();
}

/** @param {Buffer} text */
function parsed(text) {
    return text.length ? JSON.parse(text.toString('utf8')) : null;
}

/** @param {Buffer | undefined} text */
function objectOf(text) {
    return text && text.length ? JSON.parse(text.toString('utf8')) : {};
}

/** @param {any} object @param {string} name @param {() => any} make */
function lazily(object, name, make) {
    Object.defineProperty(object, name, {
        enumerable: true,
        configurable: true,
        get: () => {
            const value = make();
            Object.defineProperty(object, name, { value, enumerable: true, writable: true });
            return value;
        },
        set: (value) => Object.defineProperty(object, name, { value, enumerable: true, writable: true })
    });
}
