export declare function repositoryAddress(): string | undefined;
export declare function withRepository(manifest: object, source: string, repository: string): object;
export declare function withAbsoluteLinks(text: string, source: string, repository: string): string;
