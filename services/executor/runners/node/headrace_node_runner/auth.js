/**
 * Auth modules: `auth.js` of a service or module exports `{type, definition}`. A definition is an object, or a function of
 * the context that makes one; what it keeps in variables of its own lasts as long as the session that it was made for.
 *
 * What a definition names is a function, a request as an object, an address or a path into the profile; each kind is
 * carried out here, so that whoever asks need not know which it was.
 */

import { InvalidTokenError } from './context.js';
import { CancelError } from './failures.js';
import { client } from './http.js';

const MOST_SESSIONS = 1000;
const SESSION_MS = 60 * 60 * 1000;
const DEFAULT_EMAIL = 'email';
const TYPES = new Set(['apiKey', 'pwd', 'oauth', 'oauth2']);
const TEMPLATE = /\{\{\s*([\w.[\]]+)\s*\}\}/g;

export class AuthModules {
    /** @param {import('./loading.js').Bundle} bundle */
    constructor(bundle) {
        this.bundle = bundle;
        /** @type {Map<string, {definition: any, until: number}>} */
        this.sessions = new Map();
    }

    /** What the module offers: its type, its fields, and of which form everything else is. @param {string} folder */
    describe(folder) {
        const { type, definition } = this.module(folder);
        const made = typeof definition === 'function' ? definition(contextOf({})) : definition;
        const forms = Object.fromEntries(
            Object.entries(made ?? {}).map(([name, value]) => [name, formOf(name, value)])
        );
        const fields = (/** @type {string} */ name) => (typeof made?.[name] === 'object' ? plain(made[name]) : undefined);
        return {
            type,
            forms,
            auth: fields('auth'),
            pre: fields('pre'),
            scope: Array.isArray(made?.scope) ? made.scope : undefined,
            scopeDelimiter: typeof made?.scopeDelimiter === 'string' ? made.scopeDelimiter : undefined,
            pkce: made?.pkce === true,
            refreshBeforeExp: typeof made?.refreshBeforeExp === 'number' ? made.refreshBeforeExp : undefined,
            refreshBeforeExpUnits: typeof made?.refreshBeforeExpUnits === 'string' ? made.refreshBeforeExpUnits : undefined
        };
    }

    /**
     * What a member of the definition comes to; undefined where the definition has none and none is meant.
     * @param {{session: string, folder: string, name: string, given: Record<string, any>}} asked
     */
    async call({ session, folder, name, given }) {
        const context = contextOf(given);
        const definition = this.definition(session, folder, context);
        const value = definition?.[name];
        const result = await carriedOut(definition, name, value, context);
        if (name.startsWith('validate') && result === false) {
            throw new InvalidTokenError(`${folder} does not accept what was given.`);
        }
        return result;
    }

    /** @param {string} folder */
    module(folder) {
        const found = this.bundle.module(folder, 'auth.js');
        if (!TYPES.has(found.type)) {
            throw new CancelError(`${folder}/auth.js has the type ${found.type}: ${[...TYPES].join(', ')} are known.`);
        }
        return found;
    }

    /** @param {string} session @param {string} folder @param {any} context */
    definition(session, folder, context) {
        const { definition } = this.module(folder);
        if (typeof definition !== 'function') {
            return definition;
        }
        const key = `${session}/${folder}`;
        const kept = session ? this.sessions.get(key) : undefined;
        if (kept && kept.until > Date.now()) {
            return kept.definition;
        }
        const made = definition(context);
        if (session) {
            this.sessions.delete(key);
            this.sessions.set(key, { definition: made, until: Date.now() + SESSION_MS });
            if (this.sessions.size > MOST_SESSIONS) {
                this.sessions.delete(/** @type {string} */ (this.sessions.keys().next().value));
            }
        }
        return made;
    }
}

/** @param {Record<string, any>} given fields by their names */
function contextOf(given) {
    return {
        ...given,
        scope: given.scope ?? [],
        config: given.config ?? {},
        authConfig: given.authConfig ?? given.config ?? {},
        auth: given.auth ?? given,
        profileInfo: given.profileInfo ?? {},
        httpRequest: client(),
        log: () => Promise.resolve(),
        CancelError,
        InvalidTokenError,
        TOKEN_TYPE: { AUTHENTICATION_TOKEN: 'authentication', ACCESS_TOKEN: 'access' }
    };
}

/** @param {any} definition @param {string} name @param {any} value @param {any} context */
async function carriedOut(definition, name, value, context) {
    if (typeof value === 'function') {
        return value.call(definition, context);
    }
    if (name === 'accountNameFromProfileInfo' || name === 'emailFromProfileInfo') {
        const path = value ?? (name === 'emailFromProfileInfo' ? DEFAULT_EMAIL : undefined);
        return path === undefined ? onlyField(definition, context) : at(context.profileInfo, path);
    }
    if (value === undefined || value === null) {
        return undefined;
    }
    if (name === 'authUrl' && typeof value === 'string') {
        return authUrl(definition, filled(value, context), context);
    }
    if (typeof value === 'string' || isRequest(value)) {
        return requested(definition, name, value, context);
    }
    return plain(value);
}

/** @param {any} definition @param {string} address @param {any} context */
function authUrl(definition, address, context) {
    const url = new URL(address);
    const asked = {
        response_type: 'code',
        client_id: context.clientId,
        redirect_uri: context.callbackUrl,
        state: context.ticket,
        scope: context.scope.length ? context.scope.join(definition.scopeDelimiter ?? ',') : undefined
    };
    for (const [name, value] of Object.entries(asked)) {
        if (value !== undefined && !url.searchParams.has(name)) {
            url.searchParams.set(name, String(value));
        }
    }
    return url.href;
}

/** @param {any} definition @param {string} name @param {any} value @param {any} context */
async function requested(definition, name, value, context) {
    const request = typeof value === 'string' ? ordinary(name, filled(value, context), context) : requestOf(filled(value, context));
    let answer;
    try {
        answer = await context.httpRequest(request);
    } catch (error) {
        const refused = definition[`${name}ErrCallback`];
        if (typeof refused === 'function') {
            return refused.call(definition, error, context);
        }
        throw error;
    }
    const taken = definition[`${name}Callback`];
    if (typeof taken === 'function') {
        return taken.call(definition, answer.data, context);
    }
    return name === 'requestAccessToken' || name === 'refreshAccessToken' ? tokensOf(answer.data) : answer.data;
}

/** What is asked of an address that stands alone. @param {string} name @param {string} url @param {any} context */
function ordinary(name, url, context) {
    if (name !== 'requestAccessToken' && name !== 'refreshAccessToken') {
        const bearer = context.accessToken ?? context.apiKey;
        return { url, headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} };
    }
    const grant = name === 'requestAccessToken'
        ? { grant_type: 'authorization_code', code: context.authorizationCode, redirect_uri: context.callbackUrl, code_verifier: context.codeVerifier }
        : { grant_type: 'refresh_token', refresh_token: context.refreshToken };
    const form = { ...grant, client_id: context.clientId, client_secret: context.clientSecret };
    const known = Object.entries(form).filter(([, value]) => value !== undefined);
    return { url, method: 'POST', data: new URLSearchParams(known.map(([key, each]) => [key, String(each)])) };
}

/** A request as a definition writes it: as for axios, or with the names of an older library. @param {any} given */
function requestOf(given) {
    const { uri, qs, form, body, json, auth = {}, ...request } = given;
    const headers = { ...request.headers };
    if (auth.bearer) {
        headers.Authorization = `Bearer ${auth.bearer}`;
    }
    const login = { username: auth.username ?? auth.user, password: auth.password ?? auth.pass };
    return {
        ...request,
        url: request.url ?? uri,
        params: request.params ?? qs,
        data: request.data ?? (form ? new URLSearchParams(form) : body ?? (typeof json === 'object' ? json : undefined)),
        auth: login.username === undefined ? undefined : login,
        headers
    };
}

/** @param {any} data that an OAuth server answered */
function tokensOf(data) {
    const found = typeof data === 'string' ? Object.fromEntries(new URLSearchParams(data)) : data ?? {};
    const lasts = Number(found.expires_in);
    return {
        accessToken: found.access_token,
        refreshToken: found.refresh_token,
        accessTokenExpDate: lasts > 0 ? new Date(Date.now() + lasts * 1000) : undefined,
        scope: found.scope
    };
}

/** The account's name where nothing says it: the value of its only field. @param {any} definition @param {any} context */
function onlyField(definition, context) {
    const names = Object.keys(definition?.auth ?? {});
    return names.length === 1 ? context[names[0]] : undefined;
}

/** The value with every `{{name}}` in its texts filled in. @param {any} value @param {any} context @returns {any} */
function filled(value, context) {
    if (typeof value === 'string') {
        return value.replace(TEMPLATE, (_, path) => String(at(context, path) ?? ''));
    }
    if (Array.isArray(value)) {
        return value.map((each) => filled(each, context));
    }
    if (value !== null && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, context)]));
    }
    return value;
}

/** @param {any} value @param {string} path */
function at(value, path) {
    const steps = String(path).replace(/\[(\w+)\]/g, '.$1').split('.').filter(Boolean);
    return steps.reduce((found, step) => (Object.hasOwn(Object(found), step) ? found[step] : undefined), value);
}

/** @param {string} name @param {any} value */
function formOf(name, value) {
    if (typeof value === 'string') {
        return /^https?:|^\{\{/.test(value) ? 'url' : name.endsWith('FromProfileInfo') ? 'path' : 'text';
    }
    return typeof value === 'object' && isRequest(value) ? 'request' : Array.isArray(value) ? 'list' : typeof value;
}

/** @param {any} value */
function isRequest(value) {
    return value !== null && typeof value === 'object' && (typeof value.url === 'string' || typeof value.uri === 'string');
}

/** @param {any} value */
function plain(value) {
    return JSON.parse(JSON.stringify(value ?? null));
}
