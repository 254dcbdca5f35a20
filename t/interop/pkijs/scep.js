/*
 * A SCEP client of pkijs and Node's WebCrypto:
 *
 *     node scep.js OPERATION URL NAME=VALUE...
 *
 * with the operations of Scep.java and its names key=, cn=, san=, challenge=,
 * out=, cert=, oldkey=, of=, ca=; get=1 sends by GET.
 *
 * WebCrypto has no RSAES-PKCS1-v1_5, so content keys travel by RSAES-OAEP, with
 * SHA-512 unless told otherwise, and the answer's must, too.  pkijs has no
 * id-alg-PWRI-KEK (RFC 3211), which is below.
 */

import crypto from 'node:crypto';
import fs from 'node:fs';
import process from 'node:process';

import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';

const { subtle } = crypto.webcrypto;
const SCEP = '2.16.840.1.113733.1.9.';

const ID = {
    data: '1.2.840.113549.1.7.1',
    signedData: '1.2.840.113549.1.7.2',
    envelopedData: '1.2.840.113549.1.7.3',
    contentType: '1.2.840.113549.1.9.3',
    messageDigest: '1.2.840.113549.1.9.4',
    challengePassword: '1.2.840.113549.1.9.7',
    extensionRequest: '1.2.840.113549.1.9.14',
    pwriKek: '1.2.840.113549.1.9.16.3.9',
    commonName: '2.5.4.3',
    subjectAltName: '2.5.29.17',
    basicConstraints: '2.5.29.19',
    messageType: SCEP + '2',
    pkiStatus: SCEP + '3',
    failInfo: SCEP + '4',
    senderNonce: SCEP + '5',
    recipientNonce: SCEP + '6',
    transactionID: SCEP + '7',
};

const TYPES = {
    renew: '17', enrol: '19', poll: '20', getcert: '21', getcrl: '22',
};

// of content encryption, as Node calls them
const CIPHERS = {
    '2.16.840.1.101.3.4.1.2': ['aes-128-cbc', 16],
    '2.16.840.1.101.3.4.1.42': ['aes-256-cbc', 32],
};

pkijs.setEngine('node', new pkijs.CryptoEngine({
    name: 'node', crypto: crypto.webcrypto,
}));


function check(right, what) {
    if (!right) {
        console.log(`wrong: ${what}`);
        process.exit(2);
    }
}


// files

function unarmour(text) {
    return [...text.matchAll(/-----BEGIN [^-]+-----([^-]+)-----END/g)]
        .map((match) => Buffer.from(match[1], 'base64'));
}

function read(name) {
    return unarmour(fs.readFileSync(name, 'latin1'))[0];
}

function readCertificate(name) {
    return pkijs.Certificate.fromBER(read(name));
}

function armour(label, der) {
    const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g);

    return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, '']
        .join('\n');
}

// WebCrypto wants a key of its own for each use.

function keyFor(name) {
    const der = read(name);
    const rsa = crypto.createPrivateKey({ key: der, format: 'der',
        type: 'pkcs8' }).asymmetricKeyType === 'rsa';
    const algorithm = rsa
        ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
        : { name: 'ECDSA', namedCurve: 'P-256' };

    return subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
}

function publicOf(name) {
    const der = read(`${name}.pub`);
    const rsa = crypto.createPublicKey({ key: der, format: 'der',
        type: 'spki' }).asymmetricKeyType === 'rsa';
    const algorithm = rsa
        ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
        : { name: 'ECDSA', namedCurve: 'P-256' };

    return subtle.importKey('spki', der, algorithm, true, ['verify']);
}


function subject(cn) {
    const name = new pkijs.RelativeDistinguishedNames();

    name.typesAndValues.push(new pkijs.AttributeTypeAndValue({
        type: ID.commonName, value: new asn1.Utf8String({ value: cn }),
    }));

    return name;
}

function attribute(type, ...values) {
    return new pkijs.Attribute({ type, values });
}

function printable(value) {
    return new asn1.PrintableString({ value });
}

function octets(valueHex) {
    return new asn1.OctetString({ valueHex });
}

// An ArrayBuffer of its own: those of Node share one.

function buffer(bytes) {
    return new Uint8Array(bytes).buffer;
}

function signedData(der) {
    const info = pkijs.ContentInfo.fromBER(der);

    check(info.contentType === ID.signedData, 'SignedData');

    return new pkijs.SignedData({ schema: info.content });
}

function contentOf(data) {
    return data.encapContentInfo.eContent.getValue();
}


class Scep {

    constructor(operation, url, pairs) {
        this.operation = operation;
        this.url = url;
        this.options = Object.fromEntries(pairs.map((pair) => {
            const [name, ...value] = pair.split('=');

            return [name, value.join('=')];
        }));
        this.nonce = crypto.randomBytes(16);
    }

    async http(query, type, options) {
        const answer = await fetch(`${this.url}?operation=${query}`, options);
        const got = answer.headers.get('content-type');

        check(answer.status === 200, `status ${answer.status}`);
        check(type.test(got), `type ${got}`);

        return answer.arrayBuffer();
    }

    send(message) {
        const type = /^application\/x-pki-message$/;

        if (this.options.get) {
            return this.http('PKIOperation&message='
                + encodeURIComponent(Buffer.from(message).toString('base64')),
            type);
        }

        return this.http('PKIOperation', type, {
            method: 'POST', body: message,
        });
    }

    write(label, list) {
        if (this.options.out) {
            fs.writeFileSync(this.options.out, list.map((item) =>
                armour(label, item.toSchema().toBER())).join(''));
        }
    }


    // the RA, if there is one, is who is no authority

    async findAuthority() {
        this.authorities = await this.getAuthorities();
        this.authority = this.authorities.find((certificate) =>
            certificate.extensions.some((extension) =>
                extension.extnID === ID.basicConstraints
                && extension.parsedValue.cA));
        this.recipient = this.authorities.find((certificate) =>
            certificate !== this.authority) ?? this.authority;
    }

    async getAuthorities() {
        if (this.options.ca) {
            return unarmour(fs.readFileSync(this.options.ca, 'latin1'))
                .map((der) => pkijs.Certificate.fromBER(der));
        }

        const der = await this.http('GetCACert',
            /^application\/x-x509-ca(-ra)?-cert$/);

        try {
            return [pkijs.Certificate.fromBER(der)];
        } catch {
            return signedData(der).certificates;
        }
    }

    async keys() {
        if (this.options.key) {
            this.key = await keyFor(this.options.key);
            this.publicKey = await publicOf(this.options.key);
        }

        if (this.options.cert) {
            this.signer = readCertificate(this.options.cert);
            this.signerKey = await keyFor(this.options.oldkey);
            this.signerKeyFile = this.options.oldkey;
            return;
        }

        this.signer = await this.selfSigned();
        this.signerKey = this.key;
        this.signerKeyFile = this.options.key;
    }

    async selfSigned() {
        const certificate = new pkijs.Certificate({ version: 2 });

        certificate.serialNumber = new asn1.Integer({ value: 1 });
        certificate.issuer = subject(this.options.cn);
        certificate.subject = subject(this.options.cn);
        certificate.notBefore.value = new Date(Date.now() - 3600000);
        certificate.notAfter.value = new Date(Date.now() + 3600000);

        await certificate.subjectPublicKeyInfo.importKey(this.publicKey);
        await certificate.sign(this.key, 'SHA-256');

        return certificate;
    }


    // the request

    async csr() {
        const csr = new pkijs.CertificationRequest({
            version: 0, subject: subject(this.options.cn), attributes: [],
        });

        if (this.options.challenge) {
            csr.attributes.push(attribute(ID.challengePassword,
                new asn1.Utf8String({ value: this.options.challenge })));
        }

        if (this.options.san) {
            const names = new pkijs.GeneralNames({
                names: [new pkijs.GeneralName({
                    type: 2, value: this.options.san,
                })],
            });

            csr.attributes.push(attribute(ID.extensionRequest,
                new pkijs.Extensions({
                    extensions: [new pkijs.Extension({
                        extnID: ID.subjectAltName,
                        extnValue: names.toSchema().toBER(),
                    })],
                }).toSchema()));
        }

        await csr.subjectPublicKeyInfo.importKey(this.publicKey);
        await csr.sign(this.key, 'SHA-256');

        return csr.toSchema().toBER();
    }

    content() {
        let of;

        switch (this.operation) {
        case 'poll':
            return new asn1.Sequence({
                value: [this.authority.subject.toSchema(),
                    subject(this.options.cn).toSchema()],
            }).toBER();

        case 'getcert':
        case 'getcrl':
            of = readCertificate(this.options.of);
            return new asn1.Sequence({
                value: [of.issuer.toSchema(), of.serialNumber],
            }).toBER();

        default:
            return this.csr();
        }
    }

    async envelope(content) {
        const envelope = new pkijs.EnvelopedData();

        envelope.addRecipientByCertificate(this.recipient);
        await envelope.encrypt({ name: 'AES-CBC', length: 256 }, content);

        return new pkijs.ContentInfo({
            contentType: ID.envelopedData, content: envelope.toSchema(),
        }).toSchema().toBER();
    }

    // of the new key, so that a poll has that of its request

    transaction() {
        const hash = crypto.createHash('sha256');

        return this.options.key
            ? hash.update(read(`${this.options.key}.pub`)).digest('hex')
            : this.nonce.toString('hex');
    }

    async message(content) {
        const digest = await subtle.digest('SHA-256', content);
        const data = new pkijs.SignedData({
            version: 1,
            encapContentInfo: new pkijs.EncapsulatedContentInfo({
                eContentType: ID.data, eContent: octets(content),
            }),
            signerInfos: [new pkijs.SignerInfo({
                version: 1,
                sid: new pkijs.IssuerAndSerialNumber({
                    issuer: this.signer.issuer,
                    serialNumber: this.signer.serialNumber,
                }),
            })],
            certificates: [this.signer],
        });

        data.signerInfos[0].signedAttrs
            = new pkijs.SignedAndUnsignedAttributes({
                type: 0,
                attributes: [
                    attribute(ID.contentType,
                        new asn1.ObjectIdentifier({ value: ID.data })),
                    attribute(ID.messageDigest, octets(digest)),
                    attribute(ID.messageType,
                        printable(TYPES[this.operation])),
                    attribute(ID.transactionID,
                        printable(this.transaction())),
                    attribute(ID.senderNonce, octets(buffer(this.nonce))),
                ],
            });

        await data.sign(this.signerKey, 0, 'SHA-256');

        return new pkijs.ContentInfo({
            contentType: ID.signedData, content: data.toSchema(true),
        }).toSchema().toBER();
    }


    // the answer

    async verify(data, by) {
        const info = data.signerInfos[0];

        check(data.signerInfos.length === 1, 'signers');
        check(info.sid.serialNumber.isEqual(by.serialNumber), 'signer');

        if (data.encapContentInfo.eContent) {
            check(await data.verify({ signer: 0 }), 'signature');
            return;
        }

        // pkijs has nothing to say of an answer without content

        check(await pkijs.getCrypto(true).verifyWithPublicKey(
            info.signedAttrs.encodedValue, info.signature,
            by.subjectPublicKeyInfo, info.signatureAlgorithm, 'SHA-256'),
        'signature');
    }

    async open(der) {
        const info = pkijs.ContentInfo.fromBER(der);
        const envelope = new pkijs.EnvelopedData({ schema: info.content });
        const recipient = envelope.recipientInfos[0].value;

        check(info.contentType === ID.envelopedData, 'EnvelopedData');
        check(envelope.recipientInfos.length === 1, 'recipients');
        console.log('recipient',
            recipient.keyEncryptionAlgorithm.algorithmId);

        if (recipient instanceof pkijs.PasswordRecipientinfo) {
            return this.openByPassword(envelope, recipient);
        }

        return envelope.decrypt(0, {
            recipientCertificate: this.signer,
            recipientPrivateKey: buffer(read(this.signerKeyFile)),
        });
    }

    async openByPassword(envelope, recipient) {
        const { encryptedContentInfo } = envelope;
        const { contentEncryptionAlgorithm } = encryptedContentInfo;
        const [cipher, size]
            = CIPHERS[contentEncryptionAlgorithm.algorithmId];
        const key = unwrap(recipient, this.options.challenge);
        const decipher = crypto.createDecipheriv(cipher, key, Buffer.from(
            contentEncryptionAlgorithm.algorithmParams.valueBlock.valueHex));

        check(key.length === size, 'size of the content key');

        return buffer(Buffer.concat([
            decipher.update(Buffer.from(
                encryptedContentInfo.getEncryptedContent())),
            decipher.final(),
        ]));
    }

    async answer(der) {
        const data = signedData(der);
        const value = (type) => data.signerInfos[0].signedAttrs.attributes
            .find((a) => a.type === ID[type]).values[0].valueBlock;
        const text = (type) => value(type).value;
        const hex = (type) => Buffer.from(value(type).valueHex)
            .toString('hex');

        await this.verify(data, this.recipient);

        check(text('messageType') === '3', 'messageType');
        check(text('transactionID') === this.transaction(), 'transactionID');
        check(hex('recipientNonce') === this.nonce.toString('hex'),
            'recipientNonce');
        check(hex('senderNonce').length === 32, 'senderNonce');

        if (text('pkiStatus') !== '0') {
            console.log(text('pkiStatus') === '3' ? 'PENDING'
                : `FAILURE ${text('failInfo')}`);
            process.exit(1);
        }

        this.success(signedData(await this.open(contentOf(data))));
        console.log('SUCCESS');
    }

    success({ certificates = [], crls = [] }) {
        if (this.operation === 'getcrl') {
            check(crls.length === 1 && certificates.length === 0, 'one CRL');
            this.write('X509 CRL', crls);
            return;
        }

        check(certificates.length === 1 && crls.length === 0,
            'one certificate');

        if (this.operation !== 'getcert') {
            check(read(`${this.options.key}.pub`).equals(Buffer.from(
                certificates[0].subjectPublicKeyInfo.toSchema().toBER())),
            'key');
        }

        this.write('CERTIFICATE', certificates);
    }


    // signed by the authority as it is now

    async next() {
        const data = signedData(await this.http('GetNextCACert',
            /^application\/x-x509-next-ca-cert$/));

        await this.verify(data, this.authority);
        this.write('CERTIFICATE', signedData(contentOf(data)).certificates);
        console.log('SUCCESS');
    }

    async run() {
        await this.findAuthority();

        switch (this.operation) {
        case 'ca':
            this.write('CERTIFICATE', this.authorities);
            console.log('SUCCESS');
            break;

        case 'next':
            await this.next();
            break;

        default:
            await this.keys();
            await this.answer(await this.send(
                await this.message(await this.envelope(
                    await this.content()))));
        }
    }
}


// RFC 3211, 2.3.2: the last block is the first one's IV, then all is decrypted
// once more; length, three check octets, the key.

function unwrap(recipient, password) {
    const derivation = new pkijs.PBKDF2Params({
        schema: recipient.keyDerivationAlgorithm.algorithmParams,
    });
    const inner = new pkijs.AlgorithmIdentifier({
        schema: recipient.keyEncryptionAlgorithm.algorithmParams,
    });
    const [cipher, size] = CIPHERS[inner.algorithmId];
    const kek = crypto.pbkdf2Sync(password,
        Buffer.from(derivation.salt.valueBlock.valueHex),
        derivation.iterationCount, size, prf(derivation));
    const wrapped = Buffer.from(recipient.encryptedKey.valueBlock.valueHex);
    const end = wrapped.length - 16;
    const last = decrypt(cipher, kek, wrapped.subarray(end - 16, end),
        wrapped.subarray(end));
    const first = decrypt(cipher, kek, last, wrapped.subarray(0, end));
    const plain = decrypt(cipher, kek,
        Buffer.from(inner.algorithmParams.valueBlock.valueHex),
        Buffer.concat([first, last]));

    check(recipient.keyEncryptionAlgorithm.algorithmId === ID.pwriKek,
        'PWRI-KEK');
    check([0, 1, 2].every((i) => (plain[1 + i] ^ plain[4 + i]) === 0xff),
        'check octets');

    return plain.subarray(4, 4 + plain[0]);
}

function prf({ prf: algorithm }) {
    return pkijs.getCrypto(true).getAlgorithmByOID(
        algorithm?.algorithmId ?? '1.2.840.113549.2.7', true)
        .hash.name.replace('-', '').toLowerCase();
}

function decrypt(cipher, key, iv, data) {
    const decipher = crypto.createDecipheriv(cipher, key, iv);

    decipher.setAutoPadding(false);

    return Buffer.concat([decipher.update(data), decipher.final()]);
}


const [operation, url, ...pairs] = process.argv.slice(2);

await new Scep(operation, url, pairs).run();
