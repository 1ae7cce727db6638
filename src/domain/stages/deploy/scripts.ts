/**
 * The built-in deploys as shell scripts. Every value comes in through the environment, so that no name in a pipeline
 * file can become shell code. A chart or a set of manifests is found below the artifact's own path.
 */
const need = (tool: string) => `
if ! command -v ${tool} >/dev/null 2>&1; then
  echo "${tool} is not on this machine's PATH, so nothing was deployed; install it, or deploy with a script of your own (deploy.run)" >&2
  exit 127
fi
# Without a kubeconfig these tools try localhost:8080, and what they say then helps nobody.
if [ -z "\${KUBERNETES_SERVICE_HOST:-}" ]; then
  configured=
  if [ -z "\${KUBECONFIG:-}" ]; then
    [ ! -f "\${HOME:-}/.kube/config" ] || configured=yes
  else
    (IFS=:; set -f; for file in $KUBECONFIG; do [ ! -f "$file" ] || exit 0; done; exit 1) && configured=yes || :
  fi
  if [ -z "$configured" ]; then
    echo "there is no kubeconfig (\${KUBECONFIG:-\${HOME:-}/.kube/config}), so it is not known which cluster the target $SHIPINATOR_TARGET is, and nothing was deployed; set KUBECONFIG" >&2
    exit 1
  fi
fi
artifact="$SHIPINATOR_ARTIFACTS_DIR/\${SHIPINATOR_ARTIFACT:-}"
`;

/**
 * The label is on the release from helm's first act on, the description from its last. Helm's own time limit is beyond
 * the step's, so that only one limit counts and the true reason is reported.
 */
export const helmScript = `${need("helm")}
chart="$artifact"
if [ -d "$chart" ] && [ ! -f "$chart/Chart.yaml" ]; then
  found=$(find "$chart" -name Chart.yaml -not -path '*/charts/*/charts/*' | awk '{ print length($0) "\\t" $0 }' | sort -n | head -n 1 | cut -f 2)
  if [ -z "$found" ]; then
    echo "the artifact $SHIPINATOR_ARTIFACT holds no Chart.yaml, so there is no chart to deploy" >&2
    exit 1
  fi
  chart=\${found%/Chart.yaml}
fi
exec helm upgrade --install "$SHIPINATOR_RELEASE" "$chart" \\
  --namespace "$SHIPINATOR_NAMESPACE" --create-namespace \\
  --labels "shipinator-execution=$SHIPINATOR_EXECUTION_ID" \\
  --description "shipinator execution $SHIPINATOR_EXECUTION_ID" \\
  --wait --timeout "$((SHIPINATOR_TIMEOUT_SECONDS + 60))s"
`;

export const kubectlScript = `${need("kubectl")}
exec kubectl apply --namespace "$SHIPINATOR_NAMESPACE" --recursive --filename "$artifact"
`;

/** Exit statuses of `historyScript`; any other is a failure of the probe. */
export const historyAnswers = {
  deployed: 0,
  pendingInstall: 10,
  pendingUpgrade: 11,
  failed: 12,
  notOurs: 13,
} as const;

/** Asks helm for the status of the deploy of execution $SHIPINATOR_DEPLOY_EXECUTION_ID; changes nothing. */
export const historyScript = `${need("helm")}
found=$(helm list --namespace "$SHIPINATOR_NAMESPACE" --deployed --pending --failed \\
  --selector "shipinator-execution=$SHIPINATOR_DEPLOY_EXECUTION_ID" --output json)
echo "$found"
case $found in
  *'"status":"deployed"'*) exit ${historyAnswers.deployed} ;;
  *'"status":"pending-install"'*) exit ${historyAnswers.pendingInstall} ;;
  *'"status":"pending-'*) exit ${historyAnswers.pendingUpgrade} ;;
  *'"status":"failed"'*) exit ${historyAnswers.failed} ;;
  '[]') exit ${historyAnswers.notOurs} ;;
esac
exit 1
`;
