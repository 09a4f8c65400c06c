import type { FakeHttp, Received } from '../fakes/http.ts';
import { portOf } from './addresses.ts';
import type { FarSide } from './stage.ts';

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
