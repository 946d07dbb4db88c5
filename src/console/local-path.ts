const LENGTH_MAX = 2000;

/** A path of the console itself, with its query, from a URL or a form; undefined for anything that could lead elsewhere. */
export function localPath(text: string | null): string | undefined {
  if (text === null || text.length > LENGTH_MAX || !text.startsWith('/') || !URL.canParse(text, BASE))
    return undefined;
  const { origin, pathname, search } = new URL(text, BASE);
  // "//host" and "/\host" are other hosts to a browser, whatever comes before them in a path that is put together again.
  return origin === BASE && !/^\/[/\\]/.test(pathname) ? `${pathname}${search}` : undefined;
}

const BASE = 'http://console';
