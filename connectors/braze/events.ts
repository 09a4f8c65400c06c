import type { Event, Outcome, Value } from '../../engine/contracts/destination.ts';
import type { Login } from './config.ts';
import { whoIs, withShortTimes } from './profile.ts';
import type { Tracked } from './results.ts';

/** No event of Braze's can be called that: a dollar sign may not begin a name. */
const purchase = '$purchase';

/** Braze has no ids for events: this property is all that tells a repeat from another event. */
const idProperty = 'activate_event_id';

/** Braze's clock and ours may differ by so much. */
const aheadMs = 5 * 60 * 1000;

/** What must not be sent, because Braze would take it and make something else of it, or refuse it for certain. */
export function eventRefusalOf({ name, time, properties }: Event, now: Date): Outcome | undefined {
  const reject = (field: string, reason: string): Outcome => ({ state: 'rejected', reason, field });
  const moment = Date.parse(time);
  if (Number.isNaN(moment)) {
    return reject('time', 'There is no such time.');
  }
  if (moment > now.getTime() + aheadMs) {
    return reject(
      'time',
      'It lies ahead, and Braze would date it to now; it is tried again at each run until then.',
    );
  }
  const dollar = Object.keys(properties).find((one) => one.startsWith('$'));
  if (dollar !== undefined) {
    return reject(dollar, 'Braze takes no property whose name begins with a dollar sign.');
  }
  if (name === purchase) {
    return purchaseRefusalOf(properties, reject);
  }
  return name.startsWith('$')
    ? reject('event', 'Braze takes no event whose name begins with a dollar sign.')
    : undefined;
}

function purchaseRefusalOf(
  { product_id: product = null, currency = null, price = null, quantity = 1 }: Event['properties'],
  reject: (field: string, reason: string) => Outcome,
): Outcome | undefined {
  if (!/\S/.test(String(product ?? ''))) {
    return reject('product_id', 'A purchase needs a product_id.');
  }
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) {
    return reject('currency', 'A purchase needs a currency of three capital letters, as USD.');
  }
  if (numberIn(price) === undefined) {
    return reject('price', 'A purchase needs a price that is a number.');
  }
  const count = quantity === null ? 1 : numberIn(quantity);
  return count === undefined || !Number.isInteger(count) || count < 1 || count > 100
    ? reject('quantity', 'Braze takes a quantity from 1 to 100.')
    : undefined;
}

/** Numbers come as texts out of templates. */
function numberIn(value: Value): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** An event as Braze has it, or a purchase when it is named so. */
export function trackedOf({ id, name, time, person, properties }: Event, login: Login): Tracked {
  const common = {
    ...whoIs(person, login),
    time: new Date(time).toISOString(),
    _update_existing_only: !login.makesUsers,
  };
  const kept = Object.entries(withShortTimes(properties)).filter(([, value]) => value !== null);
  if (name !== purchase) {
    return {
      list: 'events',
      sent: { ...common, name, properties: { ...Object.fromEntries(kept), [idProperty]: id } },
    };
  }
  const {
    product_id: product,
    currency = null,
    price = null,
    quantity = 1,
    ...rest
  } = Object.fromEntries(kept);
  return {
    list: 'purchases',
    sent: {
      ...common,
      product_id: String(product),
      currency,
      price: numberIn(price) ?? null,
      quantity: numberIn(quantity) ?? null,
      properties: { ...rest, [idProperty]: id },
    },
  };
}
