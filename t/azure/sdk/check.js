// Microsoft's own clients against the simulator, with their defaults: they
// believe that they talk to Azure, through a proxy.  Prints TAP.

import {
    constants, createHash, createPublicKey, createVerify, generateKeyPairSync,
    randomBytes,
} from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import {
    ClientCertificateCredential, ClientSecretCredential,
    WorkloadIdentityCredential,
} from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';

const azure = JSON.parse(process.argv[2]);
const file = name => `${azure.dir}/${name}`;
const vaultUrl = 'https://contoso.vault.azure.net';
const proxyOptions = { host: 'http://127.0.0.1', port: azure.ports.proxy };
const options = { proxyOptions };

let count = 0;
let failed = 0;


async function check(name, work) {
    let problem;

    try {
        await work();
    } catch (error) {
        problem = error;
    }

    count++;
    console.log(`${problem ? 'not ok' : 'ok'} ${count} - ${name}`);

    if (problem) {
        failed++;
        console.log(String(problem.stack).replace(/^/gm, '# '));
    }
}

function equal(got, wanted, what) {
    if (got !== wanted) {
        throw new Error(`${what || 'value'}: got ${got}, wanted ${wanted}`);
    }
}

function same(got, wanted, what) {
    equal(Buffer.from(got).toString('hex'),
          Buffer.from(wanted).toString('hex'), what);
}

async function fails(work, status, code) {
    let found;

    try {
        await work();
    } catch (error) {
        found = error;
    }

    if (!found) {
        throw new Error('it did not fail');
    }

    equal(found.statusCode, status, 'status');
    equal(found.code, code, 'code');
    return found;
}

async function control(call, order) {
    const url = `http://127.0.0.1:${azure.ports.control}/control/${call}`;
    const answer = await fetch(url, order && {
        method: 'POST', body: JSON.stringify(order),
    });

    if (!answer.ok) {
        throw new Error(`${call}: ${await answer.text()}`);
    }

    return answer.json();
}

function fault(op, action, count = 1) {
    return control('fault', { match: { op }, count, action });
}

// What is done with the first request of each client is not of interest: it
// goes without a token, and learns from the answer whose it needs.

async function attempts(op, work) {
    const before = (await control('counters')).status[op] || {};
    const result = await work();
    const after = (await control('counters')).status[op] || {};

    return { result, of: status => (after[status] || 0)
                                   - (before[status] || 0) };
}


// tokens

const audience = 'https://vault.azure.net';
const scope = `${audience}/.default`;

function claimsOf({ token, expiresOnTimestamp }, wanted = audience) {
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

    equal(claims.aud, wanted, 'audience');
    equal(Math.abs(expiresOnTimestamp / 1000 - claims.exp) < 5, true,
          'time of expiry');
    return claims;
}

async function token(credential) {
    return claimsOf(await credential.getToken(scope));
}

const secret = new ClientSecretCredential(
    azure.tenant, azure.client, readFileSync(file('client.secret'), 'ascii'),
    options);

await check('client secret', () => token(secret));

for (const resource of ['https://graph.microsoft.com',
                        'https://api.manage.microsoft.com',
                        'https://api.manage.microsoft.com/']) {
    await check(`client secret, for ${resource}`, async () => claimsOf(
        await secret.getToken(`${resource}/.default`), resource));
}

await check('client secret, a wrong one', async () => {
    const wrong = new ClientSecretCredential(azure.tenant, azure.client, 'x',
                                             options);
    const error = await wrong.getToken(scope).catch(error => error);

    equal(/^invalid_client: .* AADSTS7000215: /.test(error.message), true,
          error.message);
});

await check('client certificate', async () => {
    writeFileSync(file('both.pem'), readFileSync(file('client.pem'), 'ascii')
                  + readFileSync(file('client.key'), 'ascii'),
                  { mode: 0o600 });
    await token(new ClientCertificateCredential(
        azure.tenant, azure.client, file('both.pem'), options));

    const [entry] = (await control('log?op=token')).slice(-1);
    const assertion = new URLSearchParams(entry.body).get('client_assertion');
    const header = JSON.parse(Buffer.from(assertion.split('.')[0],
                                          'base64url'));

    equal(header.alg, 'PS256', 'algorithm');
    equal(typeof header['x5t#S256'], 'string', 'thumbprint');
});

await check('workload identity', () => token(new WorkloadIdentityCredential({
    tenantId: azure.tenant, clientId: azure.client,
    tokenFilePath: file('federated.token'), ...options,
})));

const imds = {
    AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://127.0.0.1:${azure.ports.http}`,
};
const appService = {
    IDENTITY_ENDPOINT: `http://127.0.0.1:${azure.ports.http}/msi/token`,
    IDENTITY_HEADER: azure.header,
};

async function managed(env, ...args) {
    const { stdout } = await promisify(execFile)(
        process.execPath, ['managed-identity.js', scope, ...args],
        { env: { ...process.env, ...env } });

    return claimsOf(JSON.parse(stdout));
}

await check('managed identity by IMDS', () => managed(imds));

await check('managed identity by IMDS, assigned by a user', async () => {
    equal((await managed(imds, azure.client)).appid, azure.client, 'client');
});

await check('managed identity by IMDS, 503 is retried', async () => {
    await fault('imds', { do: 'status', status: 503 });
    const { of } = await attempts('imds', () => managed(imds));
    equal(of(503), 1, 'refused');
    equal(of(200), 1, 'answered');
});

await check('managed identity by App Service', async () => {
    const { of } = await attempts('appservice', () => managed(appService));
    equal(of(200), 1, 'answered');
});

await check('managed identity by App Service, dates by ISO 8601',
    async () => {
        await control('token', { iso_dates: true });
        await managed(appService);
    });

await control('reset', {});


// keys

const keys = new KeyClient(vaultUrl, secret, options);
const made = {};

function crypto(key) {
    return new CryptographyClient(key, secret, options);
}

for (const [name, hsm, keySize] of [['rsa2048', true, 2048],
                                    ['rsa3072', false, 3072],
                                    ['rsa4096', true, 4096]])
{
    await check(`create ${name}`, async () => {
        const key = await keys.createRsaKey(name, { hsm, keySize });

        made[name] = key;
        equal(key.keyType, hsm ? 'RSA-HSM' : 'RSA', 'type');
        equal(key.key.n.length, keySize / 8, 'size of n');
        equal(key.id, `${vaultUrl}/keys/${name}/${key.properties.version}`);
    });
}

for (const [curve, size] of [['P-256', 32], ['P-384', 48], ['P-521', 66]]) {
    await check(`create ${curve}`, async () => {
        const key = await keys.createEcKey(curve, { curve, hsm: true });

        made[curve] = key;
        equal(key.keyType, 'EC-HSM', 'type');
        equal(key.key.crv, curve, 'curve');
        equal(key.key.x.length, size, 'size of x');
        equal(key.key.y.length, size, 'size of y');
    });
}

await check('get the latest version', async () => {
    equal((await keys.getKey('rsa2048')).id, made.rsa2048.id);
});

await check('get a version', async () => {
    const { version } = made.rsa2048.properties;
    equal((await keys.getKey('rsa2048', { version })).id, made.rsa2048.id);
});

await check('rotate, and list versions', async () => {
    const rotated = await keys.rotateKey('P-256');
    const found = new Set();

    for await (const version of keys.listPropertiesOfKeyVersions('P-256')) {
        found.add(version.id);
    }

    equal(found.size, 2, 'versions');
    equal(found.has(rotated.id) && found.has(made['P-256'].id), true);
    equal((await keys.getKey('P-256')).id, rotated.id, 'the latest');
});

await check('list keys', async () => {
    let found = 0;

    for await (const page of keys.listPropertiesOfKeys()
                                 .byPage({ maxPageSize: 2 }))
    {
        equal(page.length, 2, 'keys of a page');
        found += page.length;
    }

    equal(found, 6, 'keys');
});

await check('update', async () => {
    const { version } = made.rsa3072.properties;
    const key = await keys.updateKeyProperties('rsa3072', version,
                                               { tags: { a: 'b' } });
    equal(key.properties.tags.a, 'b');
});

for (const serviceVersion of ['7.4', '7.5', '7.6']) {
    await check(`get with API version ${serviceVersion}`, async () => {
        const client = new KeyClient(vaultUrl, secret,
                                     { serviceVersion, ...options });
        await client.getKey('rsa2048');

        const [entry] = (await control('log?op=get')).slice(-1);
        equal(entry.query['api-version'], serviceVersion);
    });
}


// signatures: the local check is Node's, with the key as the vault tells it

const base64url = bytes => Buffer.from(bytes).toString('base64url');

function locally(key, algorithm, data, signature) {
    const { kty, n, e, crv, x, y } = key.key;
    const jwk = kty.startsWith('EC')
        ? { kty: 'EC', crv, x: base64url(x), y: base64url(y) }
        : { kty: 'RSA', n: base64url(n), e: base64url(e) };
    const verify = createVerify(`sha${algorithm.slice(2)}`).update(data);

    return verify.verify({
        key: createPublicKey({ key: jwk, format: 'jwk' }),
        dsaEncoding: 'ieee-p1363',
        ...algorithm.startsWith('PS') && {
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        },
    }, signature);
}

function digest(algorithm, data) {
    return createHash(`sha${algorithm.slice(2)}`).update(data).digest();
}

const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const cases = [
    ...rsa.map(algorithm => ['rsa2048', algorithm]),
    ['rsa3072', 'RS256'], ['rsa4096', 'RS512'], ['rsa4096', 'PS256'],
    ['P-256', 'ES256'], ['P-384', 'ES384'], ['P-521', 'ES512'],
];

for (const [name, algorithm] of cases) {
    await check(`sign and verify, ${algorithm} of ${name}`, async () => {
        const data = randomBytes(100);
        const client = crypto(made[name]);
        const { result, keyID } = await client.sign(algorithm,
                                                    digest(algorithm, data));

        equal(keyID, made[name].id, 'kid');
        equal(locally(made[name], algorithm, data, result), true, 'Node');

        const verdict = await client.verify(algorithm,
                                            digest(algorithm, data), result);
        equal(verdict.result, true, 'verified');

        const other = await client.verify(algorithm,
                                          digest(algorithm, 'x'), result);
        equal(other.result, false, 'verified with another digest');
    });
}

await check('EC keys are verified by the vault', async () => {
    const { requests } = await control('counters');
    equal(requests.verify >= 6, true);
});

await check('sign by an id without a version', async () => {
    const id = `${vaultUrl}/keys/rsa2048`;
    const { keyID } = await crypto(id).sign('RS256', digest('RS256', 'x'));
    equal(keyID, made.rsa2048.id);
});

for (const algorithm of ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256']) {
    const secret = randomBytes(32);
    const client = crypto(made.rsa2048);

    await check(`wrap and unwrap, ${algorithm}`, async () => {
        const wrapped = await client.wrapKey(algorithm, secret);
        const { result, keyID } = await client.unwrapKey(algorithm,
                                                         wrapped.result);
        same(result, secret);
        equal(keyID, made.rsa2048.id, 'kid');
    });

    await check(`encrypt and decrypt, ${algorithm}`, async () => {
        const encrypted = await client.encrypt({ algorithm,
                                                 plaintext: secret });
        const { result } = await client.decrypt({
            algorithm, ciphertext: encrypted.result });
        same(result, secret);
    });

    await check(`unwrap what is not wrapped, ${algorithm}`, () => fails(
        () => client.unwrapKey(algorithm, Buffer.alloc(256, 1)),
        400, 'BadParameter'));
}

await check('import', async () => {
    const { privateKey } = generateKeyPairSync('rsa',
                                               { modulusLength: 2048 });
    const jwk = privateKey.export({ format: 'jwk' });

    for (const name of ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi']) {
        jwk[name] = Buffer.from(jwk[name], 'base64url');
    }

    const key = await keys.importKey('imported', jwk);
    same(key.key.n, jwk.n, 'n');
    await crypto(key).sign('RS256', digest('RS256', 'x'));
});


// errors

await check('a key that is not there', () => fails(
    () => keys.getKey('none'), 404, 'KeyNotFound'));

// told after the client has read the key: otherwise it refuses by itself

await check('an operation that the key does not permit', async () => {
    const key = await keys.createRsaKey('signer');

    await keys.updateKeyProperties('signer', key.properties.version,
                                   { keyOps: ['sign'] });
    await fails(() => crypto(key).unwrapKey('RSA1_5', Buffer.alloc(256)),
                403, 'Forbidden');
});

await check('a disabled key', async () => {
    const key = await keys.createEcKey('disabled', { enabled: false });
    await fails(() => crypto(key.id).sign('ES256', digest('ES256', 'x')),
                403, 'Forbidden');
});

await check('a digest of the wrong size', () => fails(
    () => crypto(made.rsa2048).sign('RS256', Buffer.alloc(20)),
    400, 'BadParameter'));

await check('an algorithm of another curve', () => fails(
    () => crypto(made['P-256']).sign('ES384', digest('ES384', 'x')),
    400, 'BadParameter'));

const signer = crypto(made.rsa2048);
const sign = () => signer.sign('RS256', digest('RS256', 'x'));

await sign();

await check('429 with Retry-After is retried', async () => {
    await fault('sign', { do: 'throttle', retry_after: 1 });
    const start = Date.now();
    const { of } = await attempts('sign', sign);
    equal(of(429), 1, 'throttled');
    equal(of(200), 1, 'answered');
    equal(Date.now() - start >= 1000, true, 'waited');
});

await check('429 without Retry-After is not', async () => {
    await fault('sign', { do: 'throttle' });
    await fails(sign, 429, 'Throttled');
});

await check('503 is retried', async () => {
    await fault('sign', { do: 'status', status: 503 });
    const { of } = await attempts('sign', sign);
    equal(of(503), 1, 'refused');
    equal(of(200), 1, 'answered');
});


// deletion

await check('delete', async () => {
    const poller = await keys.beginDeleteKey('rsa3072',
                                             { intervalInMs: 50 });
    const deleted = await poller.pollUntilDone();

    equal(deleted.properties.recoveryId,
          `${vaultUrl}/deletedkeys/rsa3072`);
    await fails(() => keys.getKey('rsa3072'), 404, 'KeyNotFound');
});

await check('create what is deleted but recoverable', () => fails(
    () => keys.createRsaKey('rsa3072'), 409, 'Conflict'));

await check('recover', async () => {
    const poller = await keys.beginRecoverDeletedKey('rsa3072',
                                                     { intervalInMs: 50 });
    await poller.pollUntilDone();
    equal((await keys.getKey('rsa3072')).id, made.rsa3072.id);
});

await check('purge', async () => {
    const poller = await keys.beginDeleteKey('rsa3072',
                                             { intervalInMs: 50 });
    await poller.pollUntilDone();
    await keys.purgeDeletedKey('rsa3072');
    await keys.createRsaKey('rsa3072');
});

await check('an expired token is refused', async () => {
    await control('token', { expire: true });
    await fails(() => keys.getKey('rsa2048'), 401, 'Unauthorized');
});

await check('everything went through the proxy', async () => {
    const { tunnels, status } = await control('counters');
    equal(tunnels > 0, true, 'tunnels');
    equal(status.unknown, undefined, 'calls that the simulator has not');
});

console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
