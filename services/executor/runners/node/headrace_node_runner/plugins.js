/**
 * Plugins: `plugin.js` of a service or module registers routes, in the manner of hapi, and jobs. It is run once in each
 * process, when something of it is first asked for, and again when its service is configured anew; what it asks of the
 * platform then and later goes with the call that it is run for.
 */

import path from 'node:path';

import { StaticCache } from './cache.js';
import { databaseOf } from './database.js';
import { CancelError, Missing } from './failures.js';
import { filesOf } from './files.js';
import { client } from './http.js';
import { current } from './output.js';
import { lock, roomOf } from './context.js';
import { match, problemOf, Toolkit } from './routes.js';
import { storesOf } from './stores.js';

const LEVELS = { warn: 'warning', warning: 'warning', error: 'error', debug: 'debug', trace: 'debug' };
const PUBLIC_USER = 'public';
const AT_ONCE = 16;
const cache = new StaticCache();

const ABSENT = {
    callAppmixer: 'a plugin calls the API in the name of nobody; use its own stores and collections'
};

export class Plugins {
    /** @param {import('./loading.js').Bundle} bundle */
    constructor(bundle) {
        this.bundle = bundle;
        /** @type {Map<string, {config: string, plugin: Promise<Plugin>}>} */
        this.loaded = new Map();
    }

    /** @param {string} folder */
    has(folder) {
        return this.bundle.has(folder, 'plugin.js');
    }

    /** Its routes and jobs. @param {string} folder */
    async describe(folder) {
        const { routes, jobs } = await this.plugin(folder);
        return {
            routes: routes.map(({ method, path, options }) => ({ method, path, auth: options.auth ?? 'default' })),
            jobs: jobs.map(({ id, cron }) => ({ id, cron }))
        };
    }

    /** @param {string} folder @param {any} request as it came @returns {Promise<{status: number, headers: any, body: Buffer}>} */
    async route(folder, request) {
        const { routes } = await this.plugin(folder);
        const found = match(routes, request.method, request.path);
        if (found === undefined) {
            return problemOf(404, `There is no ${request.method} ${request.path} in ${folder}.`);
        }
        if (!request.user && needsUser(found.route.options.auth)) {
            return problemOf(401, 'Sign in to call this.');
        }
        return new Toolkit(found, request, (place) => this.bundle.inside(path.resolve(this.bundle.folder, folder, place))).answer();
    }

    /** @param {string} folder @param {string} id of a job */
    async job(folder, id) {
        const { jobs } = await this.plugin(folder);
        const found = jobs.find((each) => each.id === id);
        if (found === undefined) {
            throw new CancelError(`${folder} has no job ${id}.`);
        }
        await found.work();
    }

    /** What is kept of what a listener gave along. @param {string} folder @param {any} listener */
    async accept(folder, listener) {
        const { heard } = await this.plugin(folder);
        for (const work of heard) {
            await work(listener);
        }
        return listener.params ?? null;
    }

    /** The plugin as it is with the configuration of this call. @param {string} folder @returns {Promise<Plugin>} */
    plugin(folder) {
        const config = JSON.stringify(current.getStore()?.config ?? {});
        const known = this.loaded.get(folder);
        if (known?.config === config) {
            return known.plugin;
        }
        const plugin = this.load(folder);
        plugin.catch(() => this.loaded.delete(folder)); // it is tried again, with another call
        this.loaded.set(folder, { config, plugin });
        return plugin;
    }

    /** @param {string} folder */
    async load(folder) {
        const start = this.bundle.module(folder, 'plugin.js');
        if (typeof start !== 'function') {
            throw new CancelError(`${folder}/plugin.js exports ${typeof start} instead of a function.`);
        }
        /** @type {Plugin} */
        const plugin = { routes: [], jobs: [], heard: [] };
        await start(this.context(folder, plugin));
        return plugin;
    }

    /** @param {string} folder @param {Plugin} plugin */
    context(folder, plugin) {
        const ask = /** @type {any} */ (new Proxy({}, { get: (_, name) => asking(name) }));
        const log = (/** @type {any[]} */ ...given) => logged(given);
        const bundle = this.bundle;
        /** @type {any} */
        const context = {
            get config() {
                return current.getStore()?.config ?? {};
            },
            get appmixerApiUrl() {
                return current.getStore()?.apiUrl ?? '';
            },
            log,
            httpRequest: client(),
            CancelError,
            constants: { PUBLIC_USER_ID: PUBLIC_USER },
            gridInstanceId: process.pid.toString(),
            service: roomOf(ask, 'service'),
            store: storesOf(ask),
            ...filesOf(ask),
            staticCache: cache.of(folder),
            db: databaseOf(ask),
            lock: (/** @type {string} */ name, /** @type {any} */ options) => lock(ask, name, options),
            job: { lock: (/** @type {string} */ name, /** @type {any} */ options) => lock(ask, name, { maxRetryCount: 0, ...options }) },
            utils: {
                P: { mapArray: (/** @type {any[]} */ list, /** @type {any} */ map) => Promise.all(list.map(map)) },
                Error: { stringify: (/** @type {any} */ error) => String(error?.stack ?? error) }
            },
            scheduleJob: async (/** @type {string} */ id, /** @type {any} */ cron, /** @type {() => Promise<void>} */ work) => {
                plugin.jobs.push({ id, cron, work });
            },
            onListenerAdded: (/** @type {(listener: any) => any} */ work) => {
                plugin.heard.push(work);
            },
            triggerComponent: (/** @type {[string, string, any, any, any]} */ ...given) => trigger(ask, ...given),
            triggerListeners: (/** @type {any} */ given) => triggerListeners(ask, given),
            http: {
                router: {
                    register: (/** @type {any} */ given) => [given].flat().forEach((each) => plugin.routes.push(routeOf(each))),
                    getPluginEndpoint: (/** @type {string} */ path) => `/plugins/${folder}/${String(path).replace(/^\//, '')}`
                },
                auth: { getUser: async (/** @type {any} */ request) => userOf(request) },
                HttpError: Object.fromEntries(
                    Object.entries(ERRORS).map(([name, status]) => [name, (/** @type {any} */ message, /** @type {any} */ data) => httpError(status, message, data)])
                ),
                get Joi() {
                    return bundle.requireFrom(folder, 'joi');
                }
            }
        };
        for (const [name, why] of Object.entries(ABSENT)) {
            context[name] = () => {
                throw new Missing(`context.${name}`, `${why}.`);
            };
        }
        return context;
    }
}

/**
 * @typedef {{routes: any[], jobs: {id: string, cron: any, work: () => Promise<void>}[],
 *   heard: ((listener: any) => any)[]}} Plugin
 */

const ERRORS = { badRequest: 400, unauthorized: 401, forbidden: 403, notFound: 404, conflict: 409, badImplementation: 500 };

/** What is asked goes with the call under way. @param {string | symbol} name */
function asking(name) {
    return (/** @type {any[]} */ ...given) => {
        const ask = /** @type {any} */ (current.getStore()?.effects?.ask);
        if (ask === undefined) {
            throw new Missing('The platform', 'no route and no job of the plugin is being called.');
        }
        return ask[name](...given);
    };
}

/**
 * Fire a node of the plugin's service, as its webhook does. @param {any} ask
 * @param {string} flowId @param {string} componentId @param {any} data @param {any} [query]
 * @param {{method?: string, hostname?: string, headers?: any, event?: string}} [head]
 */
async function trigger(ask, flowId, componentId, data, query = {}, { method = 'POST', hostname = '', headers = {}, event } = {}) {
    return ask.trigger({
        event,
        flowId: String(flowId),
        nodeId: String(componentId),
        content: { method, data: data ?? null, query, headers, hostname },
        correlationId: String(query.correlationId ?? ''),
        waits: !['true', '1', 'yes', true, ''].includes(query.enqueueOnly ?? false)
    });
}

/** Fire all who listen to an event. One that is not there any more keeps nobody else from hearing. @param {any} ask @param {any} given */
async function triggerListeners(ask, { eventName, payload, filter = () => true }) {
    const listeners = await ask.listen('list', String(eventName));
    const wanted = listeners.filter(filter);
    const fired = async (/** @type {any} */ { flowId, componentId }) => {
        try {
            await trigger(ask, flowId, componentId, payload, { enqueueOnly: 'true' }, { event: String(eventName) });
        } catch (error) {
            await logged(['warning', `${flowId}/${componentId} does not hear of ${eventName}`, { message: String(error) }]);
        }
    };
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
        await Promise.all(wanted.slice(at, at + AT_ONCE).map(fired));
    }
}

/** @param {any[]} given level, message and data, or an object */
async function logged([first, message, data]) {
    const level = typeof first === 'string' && message !== undefined ? first : 'info';
    const words = message === undefined ? first : data === undefined ? message : { message, data };
    current.getStore()?.log(/** @type {any} */ (LEVELS)[level] ?? 'info', words);
}

/** @param {any} given */
function routeOf({ method, path, options, handler, config }) {
    const known = options ?? config ?? {};
    return { method, path: `/${String(path).replace(/^\//, '')}`, options: { ...known, handler: known.handler ?? handler } };
}

/** @param {any} auth */
function needsUser(auth) {
    if (auth === false) {
        return false;
    }
    const strategies = auth?.strategies ?? [auth?.strategy ?? auth];
    return !strategies.includes('public') && auth?.mode !== 'try' && auth?.mode !== 'optional';
}

/** @param {any} request */
function userOf(request) {
    const user = request?.auth?.credentials;
    const { id = PUBLIC_USER, email = '', ...rest } = user ?? {};
    return { ...rest, id, email, getId: () => id, getEmail: () => email, get: (/** @type {string} */ name) => user?.[name] };
}

/** @param {number} status @param {any} message @param {any} data */
function httpError(status, message, data) {
    const words = String(message ?? `Status ${status}`);
    const payload = { statusCode: status, message: words, data };
    return Object.assign(new Error(words), { isBoom: true, statusCode: status, data, output: { statusCode: status, payload } });
}
