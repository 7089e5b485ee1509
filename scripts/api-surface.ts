import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/*
 * The public surface of the packages as text: each name that an entry point exports, with its shape in one line. It is
 * kept as docs/api-surface.md, so that a change of the surface shows in a review.
 */

const root = fileURLToPath(new URL('..', import.meta.url));

export interface Export {
  readonly name: string;
  /** Its shape in one line. */
  readonly shape: string;
  readonly isDocumented: boolean;
}

export interface EntryPoint {
  /** What an application imports, such as `@posthorn/core/storage`. */
  readonly name: string;
  readonly exports: readonly Export[];
}

interface Source {
  readonly name: string;
  readonly file: string;
}

/** The entry points of all packages that are published. */
function sources(): Source[] {
  return readdirSync(join(root, 'packages')).flatMap((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')) as {
      readonly name: string;
      readonly exports: Readonly<Record<string, { readonly '@posthorn/source': string }>>;
    };
    return Object.entries(manifest.exports).map(([path, { '@posthorn/source': file }]) => ({
      name: manifest.name + path.slice(1),
      file: join(root, 'packages', folder, file),
    }));
  });
}

export function entryPoints(): EntryPoint[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config as unknown;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const all = sources();
  const program = ts.createProgram(
    all.map(({ file }) => file),
    options,
  );
  const checker = program.getTypeChecker();
  return all.map(({ name, file }) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
    const exported = checker.getExportsOfModule(module).map((symbol) => exportOf(symbol, checker));
    return { name, exports: exported.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  });
}

function exportOf(symbol: ts.Symbol, checker: ts.TypeChecker): Export {
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
  const declaration = target.declarations![0]!;
  return {
    name: symbol.name,
    shape: shapeOf(target, declaration, checker),
    isDocumented: target.getDocumentationComment(checker).length > 0,
  };
}

const typeFormat =
  ts.TypeFormatFlags.NoTruncation |
  ts.TypeFormatFlags.WriteArrowStyleSignature |
  ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

function shapeOf(symbol: ts.Symbol, declaration: ts.Declaration, checker: ts.TypeChecker): string {
  if (ts.isClassDeclaration(declaration)) return `class ${membersOf(declaration, checker)}`;
  if (ts.isInterfaceDeclaration(declaration)) return `interface ${membersOf(declaration, checker)}`;
  if (ts.isTypeAliasDeclaration(declaration)) return `type ${oneLine(declaration.type.getText())}`;
  const type = checker.getTypeOfSymbolAtLocation(symbol, declaration);
  return oneLine(checker.typeToString(type, declaration, typeFormat));
}

/** The names of the public members; `?` after those that may be left out. */
function membersOf(
  { heritageClauses = ts.factory.createNodeArray(), members }: ts.ClassDeclaration | ts.InterfaceDeclaration,
  checker: ts.TypeChecker,
): string {
  const names = members.flatMap((member) => {
    const name = member.name?.getText();
    const isPrivate = name?.startsWith('#') ?? !ts.isConstructorDeclaration(member);
    if (isPrivate) return [];
    const symbol = member.name && checker.getSymbolAtLocation(member.name);
    const isOptional = ((symbol?.flags ?? 0) & ts.SymbolFlags.Optional) !== 0;
    return [`${name ?? 'constructor'}${isOptional ? '?' : ''}`];
  });
  const heritage = heritageClauses.map((clause) => `${oneLine(clause.getText())} `).join('');
  return `${heritage}{ ${[...new Set(names)].join(', ')} }`;
}

const oneLine = (text: string): string =>
  text
    .replace(/\/\*.*?\*\/|\/\/.*/gs, ' ')
    .replace(/\s+/g, ' ')
    .trim();

const heading = `# Public surface

Made by \`npm run api-surface\`. Each entry point of each package, with every name that it exports: a review sees here what
a change does to applications. A name that is not on this page may change in any release.
`;

export function surfacePage(entries: readonly EntryPoint[] = entryPoints()): string {
  const sections = entries.map(({ name, exports }) => {
    const lines = exports.map((one) => `- \`${one.name}\`: \`${one.shape.replaceAll('`', "'")}\``);
    return `\n## ${name}\n\n${exports.length} ${exports.length === 1 ? 'name' : 'names'}.\n\n${lines.join('\n')}\n`;
  });
  return heading + sections.join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(root, 'docs/api-surface.md'), surfacePage());
}
