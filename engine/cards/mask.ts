/**
 * Hides most of what could tell who somebody is: addresses and telephone numbers keep enough to be recognised by those
 * who know them. Ids and words stay.
 */
export function masked(text: string): string {
  return text
    .replaceAll(/[^\s@/,;]+@[^\s@/,;]+\.[^\s@/,;]+/g, (email) => {
      const [name = '', host = ''] = email.split('@');
      return `${name.slice(0, 1)}•••@${host.slice(0, 1)}•••${host.slice(host.lastIndexOf('.'))}`;
    })
    .replaceAll(/(?:\+|\b00)\d[\d\s().-]{6,}\d/g, (phone) => `${phone.slice(0, 3)}•••${phone.slice(-2)}`);
}
