import type { FakeHttp, Received } from '../fakes/http.ts';
import type { FarSide } from './stage.ts';

export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** An address with another port. */
export function at(url: string, port: number): string {
  const moved = new URL(url);
  moved.port = String(port);
  return moved.href;
}

type Common = Pick<FarSide, 'port' | 'writes' | 'stumble' | 'close'>;

/** What is alike in all far sides that speak HTTP. `asks`: paths of requests that change nothing though they are no GET. */
export function overHttp<S>(fake: FakeHttp<S>, asks: RegExp = /$^/): Common {
  const changes = ({ method, path }: Received): boolean =>
    method !== 'GET' && method !== 'HEAD' && !asks.test(path);
  return {
    port: portOf(fake.url),
    writes: () => fake.requests.filter(changes).length,
    stumble: () => fake.next({ status: 503 }, { status: 503 }),
    close: async () => {
      await fake.close();
      fake.expectNoUnexpected();
    },
  };
}
