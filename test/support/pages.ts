import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The project's folder. */
export const ROOT = join(import.meta.dirname, '../..');

/** Paths of all pages of the documentation, relative to {@link ROOT}. */
export async function listPages(): Promise<string[]> {
  const inDocs = await readdir(join(ROOT, 'docs'), { recursive: true });
  return ['README.md', 'CHANGELOG.md', ...inDocs.map((path) => join('docs', path))].filter((path) =>
    path.endsWith('.md'),
  );
}

/** Text of a page. */
export function readPage(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}

/** `page` without its code blocks, whose `#` and brackets are no headings and no links. */
function prose(page: string): string {
  return page.replaceAll(/^```[^]*?^```$/gm, '');
}

/** Headings of a page, without their marks. */
export function headingsOf(page: string): string[] {
  return [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading.trim());
}

/** Anchors that GitHub gives to the headings of a page; a repeated heading gets `-1`, `-2` … behind. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const heading of headingsOf(page)) {
    const plain = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '');
    const anchor = plain.replaceAll(' ', '-');
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n += 1) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Targets of all links and pictures of a page. */
export function linksOf(page: string): string[] {
  return [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** Rows of all tables of a page: the trimmed text of their cells. */
export function rowsOf(page: string): string[][] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
