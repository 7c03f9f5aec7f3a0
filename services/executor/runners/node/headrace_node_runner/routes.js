/** Routes in the manner of hapi: which one a path belongs to, what its handler is given, and what becomes of its answer. */

import fs from 'node:fs';
import path from 'node:path';

import { wordsOf } from './failures.js';

/** @type {Record<string, string>} */
const TYPES = {
    '.css': 'text/css; charset=utf-8', '.gif': 'image/gif', '.html': 'text/html; charset=utf-8', '.jpg': 'image/jpeg',
    '.js': 'text/javascript; charset=utf-8', '.json': 'application/json; charset=utf-8', '.png': 'image/png', '.svg': 'image/svg+xml',
    '.txt': 'text/plain; charset=utf-8', '.webp': 'image/webp', '.xml': 'application/xml; charset=utf-8'
};

const LONGEST_BODY = 16 * 1024 * 1024;

/**
 * @param {any[]} routes @param {string} method @param {string} path below the plugin's own, with a slash in front
 * @returns {{route: any, params: Record<string, string>} | undefined} the first that fits, whole words before parameters
 */
export function match(routes, method, path) {
    const wanted = method.toUpperCase();
    const fitting = routes
        .filter((each) => [each.method].flat().some((known) => known === '*' || known.toUpperCase() === wanted))
        .map((route) => ({ route, params: paramsOf(route.path, path) }))
        .filter((each) => each.params !== undefined);
    fitting.sort((one, other) => Object.keys(one.params ?? {}).length - Object.keys(other.params ?? {}).length);
    return /** @type {any} */ (fitting[0]);
}

/** @param {string} pattern as `/a/{b}/{c*}` @param {string} path @returns {Record<string, string> | undefined} */
export function paramsOf(pattern, path) {
    const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
    const words = pattern.split('/').filter(Boolean);
    /** @type {Record<string, string>} */
    const params = {};
    for (const [place, word] of words.entries()) {
        const found = /^\{(\w+)(\?|\*\d*)?\}$/.exec(word);
        const part = parts[place];
        if (found === null) {
            if (part !== word) {
                return undefined;
            }
        } else if (found[2]?.startsWith('*')) {
            params[found[1]] = parts.slice(place).join('/');
            return params;
        } else if (part !== undefined) {
            params[found[1]] = part;
        } else if (found[2] !== '?') {
            return undefined;
        }
    }
    return parts.length > words.length ? undefined : params;
}

/** @param {number} status @param {string} message @param {any} [data] */
export function problemOf(status, message, data) {
    return written(status, { 'content-type': 'application/json' }, JSON.stringify({ statusCode: status, message, data }));
}

/** One request on its way through a handler: what hapi calls `h`. */
export class Toolkit {
    /**
     * @param {{route: any, params: Record<string, string>}} found @param {any} given the request as it came
     * @param {(place: string) => string} fileOf where a file of the bundle is; it throws for any other
     */
    constructor({ route, params }, given, fileOf) {
        this.route = route;
        this.fileOf = fileOf;
        const headers = Object.fromEntries(Object.entries(given.headers).map(([name, value]) => [name.toLowerCase(), value]));
        this.request = {
            method: given.method.toLowerCase(),
            path: given.path,
            params,
            headers,
            query: given.query ?? {},
            payload: payloadOf(given.body, headers['content-type'], route.options.payload),
            info: { hostname: given.hostname ?? '', host: headers.host ?? '', remoteAddress: '' },
            auth: { isAuthenticated: Boolean(given.user), credentials: given.user ?? null },
            pre: /** @type {Record<string, any>} */ ({}),
            url: new URL(given.path, `http://${given.hostname || 'localhost'}`),
            raw: {},
            app: {}
        };
        this.continue = Symbol('continue');
    }

    /** @param {any} [source] */
    response(source) {
        return new Answer(source);
    }

    /** A file of the bundle. @param {string} place of it @param {any} [options] `confine` is the bundle, whatever it says */
    file(place, options = {}) {
        const file = this.fileOf(place);
        const found = new Answer(fs.readFileSync(file)).type(TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream');
        const name = String(options.filename ?? path.basename(file)).replace(/[^\w. -]/g, '_');
        const mode = options.mode === true ? 'attachment' : options.mode;
        return mode ? found.header('content-disposition', `${mode}; filename="${name}"`) : found;
    }

    /** @param {string} location */
    redirect(location) {
        return new Answer('').code(302).header('location', location);
    }

    /** @returns {Promise<{status: number, headers: Record<string, string>, body: Buffer}>} */
    async answer() {
        try {
            this.validate();
            for (const each of [this.route.options.pre ?? []].flat()) {
                const method = typeof each === 'function' ? each : each.method;
                const value = await method(this.request, this);
                if (value instanceof Answer && value.isTakeover) {
                    return value.written();
                }
                if (each.assign) {
                    this.request.pre[each.assign] = value;
                }
            }
            const answer = await this.route.options.handler(this.request, this);
            return await (answer instanceof Answer ? answer : new Answer(answer)).written();
        } catch (error) {
            return refusal(error);
        }
    }

    validate() {
        const rules = this.route.options.validate ?? {};
        for (const part of /** @type {const} */ (['params', 'query', 'payload', 'headers'])) {
            const schema = rules[part];
            if (typeof schema?.validate !== 'function') {
                continue;
            }
            const { error, value } = schema.validate(this.request[part], rules.options ?? {});
            if (error) {
                throw Object.assign(new Error(`The ${part} is refused: ${wordsOf(error)}`), { statusCode: 400 });
            }
            this.request[part] = value;
        }
    }
}

/** What a handler answers. */
class Answer {
    /** @param {any} source */
    constructor(source) {
        this.source = source;
        this.status = 0;
        /** @type {Record<string, string>} */
        this.headers = {};
        this.isTakeover = false;
    }

    /** @param {number} status */
    code(status) {
        this.status = status;
        return this;
    }

    /** @param {string} type */
    type(type) {
        return this.header('content-type', type);
    }

    /** @param {string} name @param {any} value */
    header(name, value) {
        this.headers[name.toLowerCase()] = String(value);
        return this;
    }

    takeover() {
        this.isTakeover = true;
        return this;
    }

    async written() {
        const { source, headers } = this;
        if (source instanceof Error) {
            return refusal(source);
        }
        if (source === undefined || source === null || source === '') {
            return written(this.status || 204, headers, '');
        }
        if (typeof source?.pipe === 'function' || typeof source?.[Symbol.asyncIterator] === 'function') {
            return written(this.status || 200, headers, await read(source));
        }
        if (Buffer.isBuffer(source)) {
            return written(this.status || 200, { 'content-type': 'application/octet-stream', ...headers }, source);
        }
        if (typeof source === 'string') {
            return written(this.status || 200, { 'content-type': 'text/html; charset=utf-8', ...headers }, source);
        }
        return written(this.status || 200, { 'content-type': 'application/json; charset=utf-8', ...headers }, JSON.stringify(source));
    }
}

/** @param {any} error */
function refusal(error) {
    const status = Number(error?.output?.statusCode ?? error?.statusCode ?? error?.response?.status);
    const isTold = Number.isInteger(status) && status >= 400 && status <= 599;
    if (!isTold) {
        throw error;
    }
    return problemOf(status, wordsOf(error), error?.data ?? undefined);
}

/** @param {number} status @param {Record<string, string>} headers @param {string | Buffer} body */
function written(status, headers, body) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
    if (bytes.length > LONGEST_BODY) {
        throw new Error(`An answer has at most ${LONGEST_BODY} bytes.`);
    }
    return { status, headers, body: bytes };
}

/** @param {any} stream */
async function read(stream) {
    const chunks = [];
    let size = 0;
    for await (const chunk of stream) {
        const piece = Buffer.from(chunk);
        size += piece.length;
        if (size > LONGEST_BODY) {
            throw new Error(`An answer has at most ${LONGEST_BODY} bytes.`);
        }
        chunks.push(piece);
    }
    return Buffer.concat(chunks);
}

/** @param {Buffer} body @param {any} type @param {any} options */
function payloadOf(body, type, options) {
    if (options?.parse === false) {
        return body;
    }
    const kind = String(type ?? '').split(';')[0].trim();
    const text = body.toString('utf8');
    if (text === '') {
        return null;
    }
    if (kind === 'application/x-www-form-urlencoded') {
        return Object.fromEntries(new URLSearchParams(text));
    }
    if (kind.endsWith('json') || kind === '') {
        try {
            return JSON.parse(text);
        } catch {
            return text;
        }
    }
    return kind.startsWith('text/') ? text : body;
}
