import { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import type { ErrorCode } from "../errors/codes.ts";
import { messageOf } from "../errors/message-of.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { repeating } from "./s3-retry.ts";
import type { RetryReason } from "./s3-retry.ts";

/** How to reach S3 or a compatible server; what is absent is the SDK's default. */
export interface S3Settings {
  /** Address of a compatible server, such as `http://127.0.0.1:7070`. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Absent: the SDK's chain of providers (environment, profile, web identity, instance). */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Bucket in the path instead of the host name; most compatible servers need it. Default: when there is an endpoint. */
  readonly pathStyle?: boolean;
  /** `WHEN_REQUIRED` for servers that reject the checksums which the SDK adds since 3.729. */
  readonly checksums?: "WHEN_SUPPORTED" | "WHEN_REQUIRED";
  /** Tries of one request (6: within three seconds, or sixteen when the server asks for less). */
  readonly attempts?: number;
  /** Silence of the server, while it connects or answers, after which a request is given up and tried again (120,000). */
  readonly silenceMs?: number;
  /** Told of each request that is sent again. */
  readonly onRetry?: (reason: RetryReason) => void;
}

/** A server that is replaced, or a broken connection, must not cost an image one of its tries. */
const defaultAttempts = 6;
/** Long enough for a server that joins the parts of a large upload before it answers. */
const defaultSilenceMs = 120_000;

const clients = new WeakMap<S3Settings, S3Client>();

/** One client, and so one pool of connections, for each settings object. Idle connections don't keep a process alive. */
export function s3Client(settings: S3Settings): S3Client {
  const known = clients.get(settings);
  if (known !== undefined) return known;
  const { endpoint, region, credentials, checksums, silenceMs = defaultSilenceMs } = settings;
  const client = new S3Client({
    forcePathStyle: settings.pathStyle ?? endpoint !== undefined,
    retryStrategy: repeating(settings.attempts ?? defaultAttempts, settings.onRetry),
    // The SDK itself waits for ever: a connection that died without a word would stop a worker.
    requestHandler: { connectionTimeout: silenceMs, socketTimeout: silenceMs },
    ...(endpoint !== undefined && { endpoint }),
    // A compatible server takes any region, but a signature needs one.
    ...(region === undefined ? endpoint !== undefined && { region: "us-east-1" } : { region }),
    ...(credentials && { credentials }),
    ...(checksums && { requestChecksumCalculation: checksums, responseChecksumValidation: checksums }),
  });
  clients.set(settings, client);
  return client;
}

/** HTTP status of a failed request; `undefined` when no answer came. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

interface Fault {
  readonly code: ErrorCode;
  readonly advice: string;
}

const wrongCredentials: Fault = {
  code: "store-denied",
  advice: "Check the access key, the secret and that they may use this bucket and key.",
};
const wrongRegion: Fault = { code: "store-denied", advice: "Check the region and the endpoint of the bucket." };
const noCredentials: Fault = {
  code: "store-denied",
  advice: "No credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.",
};
const noRegion: Fault = {
  code: "store-denied",
  advice: "Set AWS_REGION to the region of the bucket, or a profile that has one.",
};
const noBucket: Fault = {
  code: "store-not-found",
  advice: "There is no such bucket: check its name and the endpoint.",
};
const unavailable: Fault = { code: "store-unavailable", advice: "Check the endpoint and the network, then try again." };

const faultsByName: Readonly<Record<string, Fault>> = {
  NoSuchBucket: noBucket,
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  InvalidAccessKeyId: wrongCredentials,
  SignatureDoesNotMatch: wrongCredentials,
  // What versitygw answers to an unknown access key, with status 404.
  XAdminUserNotFound: wrongCredentials,
  CredentialsProviderError: noCredentials,
  NoSuchUpload: {
    code: "store-unavailable",
    advice: "The upload was ended by another answer or program: try again.",
  },
  InvalidBucketName: {
    code: "key-invalid",
    advice: "A bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens.",
  },
  KeyTooLongError: { code: "key-invalid", advice: "A key may have at most 1,024 bytes." },
};

/** Of errors that the SDK gives no name. */
const faultsByMessage: Readonly<Record<string, Fault>> = { "Region is missing": noRegion };

const faultsByStatus: Readonly<Record<number, Fault>> = {
  301: wrongRegion,
  400: {
    code: "store-denied",
    advice: "The server refused the request as malformed: check endpoint, region, path style and checksums.",
  },
  401: wrongCredentials,
  403: wrongCredentials,
  409: { code: "store-conflict", advice: "Another writer was at the same key: try again." },
};

/** Whether it is the object alone that is not there. */
export function isAbsentObject(error: unknown): boolean {
  return statusOf(error) === 404 && !(error instanceof Error && Object.hasOwn(faultsByName, error.name));
}

/** A failed request as one of the project's errors; an aborted one throws the signal's own reason. */
export function s3Error(
  error: unknown,
  context: {
    readonly operation: string;
    readonly uri: string;
    readonly signal: AbortSignal | undefined;
    readonly missing?: ErrorCode;
  },
): unknown {
  if (context.signal?.aborted === true) return context.signal.reason;
  if (error instanceof SlidelightError) return error;
  const status = statusOf(error);
  const name = error instanceof Error ? error.name : "";
  const absent: Fault = {
    code: context.missing ?? "store-not-found",
    advice: "There is no such object: check bucket and key.",
  };
  const fault =
    faultsByName[name] ??
    faultsByMessage[messageOf(error)] ??
    (status === 404 ? absent : undefined) ??
    faultsByStatus[status ?? 0] ??
    unavailable;
  const cause = status === undefined ? messageOf(error) : `${name} (HTTP ${status})`;
  return new SlidelightError(fault.code, `${context.operation} ${context.uri} failed: ${cause}. ${fault.advice}`, {
    cause: error,
    detail: { status },
  });
}
