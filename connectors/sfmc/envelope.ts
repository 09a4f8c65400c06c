import type { Http } from '../../engine/contracts/http.ts';

/**
 * SOAP has its token in the envelope, and says by a fault with status 500 that it does not take it: here both are as REST
 * has them, so that one token does for both.
 */
export function withSoap(http: Http): Http {
  return {
    send: async (request) => {
      const { authorization = '', ...headers } = request.headers ?? {};
      const action = headers['soapaction'];
      if (action === undefined) {
        return http.send(request);
      }
      const token = authorization.replace('Bearer ', '');
      const body = enveloped(action, token, String(request.body));
      const answer = await http.send({ ...request, headers, body });
      const isRefused = answer.status === 500 && isAboutToken(answer.text);
      return {
        ...answer,
        ...(isRefused ? { status: 401 } : {}),
        text: answer.ok ? answer.text : answer.text.replaceAll(token, '…'),
      };
    },
  };
}

function enveloped(action: string, token: string, xml: string): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">',
    `<s:Header><a:Action xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">${action}</a:Action>`,
    `<fueloauth xmlns="http://exacttarget.com">${escaped(token)}</fueloauth></s:Header>`,
    `<s:Body>${xml}</s:Body></s:Envelope>`,
  ].join('');
}

/** Faults of this kind have a code for it, or come without one. */
function isAboutToken(xml: string): boolean {
  return /(?:^|:)Security$/.test(textIn(xml, 'faultcode') ?? '') || /^token expired/i.test(faultIn(xml));
}

/** The sentence of a fault. */
export function faultIn(xml: string): string {
  return textIn(xml, 'faultstring') ?? '';
}

/** All that stands between the tags of a name, whatever attributes they have, unescaped. The name has no other in itself. */
export function textsIn(xml: string, name: string): readonly string[] {
  return blocksIn(xml, name).map(unescaped);
}

export function textIn(xml: string, name: string): string | undefined {
  return textsIn(xml, name)[0];
}

/** As {@link textsIn}, with the XML as it stands. */
export function blocksIn(xml: string, name: string): readonly string[] {
  const pattern = new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([\\s\\S]*?)</(?:\\w+:)?${name}>`, 'g');
  return [...xml.matchAll(pattern)].map(([, inside = '']) => inside);
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function unescaped(xml: string): string {
  return xml
    .replaceAll(/&#(x[0-9a-f]+|\d+);/gi, (_, code: string) =>
      String.fromCodePoint(Number(code.replace(/^x/i, '0x'))),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}
