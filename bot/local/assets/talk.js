/** A short line at the bottom of the page; `tone` is `bad` for what did not work. */
export function toast(text, tone = '') {
  const line = document.createElement('p');
  line.className = `toast ${tone}`;
  line.textContent = text;
  const shelf = document.getElementById('toasts') ?? document.body;
  shelf.append(line);
  setTimeout(() => line.remove(), Math.max(5000, text.length * 70));
}

/** Sends a form's worth of values and reads the JSON answer. Undefined when it failed: the person was told. */
export async function send(url, values) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'X-Requested-By': 'page' },
      body: values instanceof URLSearchParams ? values : new URLSearchParams(values),
    });
    const answer = await response.json();
    if (response.ok) {
      return answer;
    }
    if (answer.goto !== undefined) {
      location.assign(answer.goto);
    }
    toast(answer.error ?? 'That did not work. Try again.', 'bad');
  } catch {
    toast('Activate does not answer. Is it still running? Nothing you typed is lost.', 'bad');
  }
  return undefined;
}

/** Marks an element as waiting for an answer, and refuses a second press meanwhile. */
export async function busy(element, work) {
  if (element.dataset.busy !== undefined) {
    return undefined;
  }
  element.dataset.busy = '';
  element.setAttribute('aria-busy', 'true');
  try {
    return await work();
  } finally {
    delete element.dataset.busy;
    element.removeAttribute('aria-busy');
  }
}
