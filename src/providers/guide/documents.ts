import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../common/project.js';

/** A Markdown file; `file` is its path from the project's folder, with slashes. */
export interface DocFile {
  file: string;
  markdown: string;
}

/** Reads README.md and all pages below docs/, in a fixed order. Missing files are left out. */
export async function readProjectDocs(root: string = PROJECT_ROOT): Promise<DocFile[]> {
  const pages = await markdownFiles(root, 'docs');
  const docs: DocFile[] = [];
  for (const file of ['README.md', ...pages]) {
    const markdown = await orMissing(readFile(join(root, file), 'utf8'));
    if (markdown !== undefined) docs.push({ file, markdown });
  }
  return docs;
}

async function markdownFiles(root: string, folder: string): Promise<string[]> {
  const entries = (await orMissing(readdir(join(root, folder), { withFileTypes: true }))) ?? [];
  const found: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await markdownFiles(root, path)));
    else if (entry.name.endsWith('.md')) found.push(path);
  }
  return found;
}

async function orMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
